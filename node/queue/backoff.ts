interface Backoff {
  readonly baseMs: number;
  readonly factor: number;
  /** The longest wait; five minutes unless said otherwise. */
  readonly maxMs?: number;
}

/** What waits for a server that takes our mail: asking costs little. */
export const MAIL_BACKOFF: Backoff = { baseMs: 5_000, factor: 2 };
/** What waits for the other node of the pair: its restart takes seconds, and whoever asked is waiting. */
export const PEER_BACKOFF: Backoff = { baseMs: 2_000, factor: 2, maxMs: 60_000 };
/** The ledger of a peer that is away: nobody waits, and a handoff needs it level soon. */
export const LEDGER_BACKOFF: Backoff = { baseMs: 500, factor: 2, maxMs: 30_000 };
/** What failed by itself: a disk, a bucket or a network gets some minutes before MAX_RETRIES is used up. */
export const WORK_BACKOFF: Backoff = { baseMs: 20_000, factor: 6 };

/** The longest wait between two tries, in milliseconds. */
export const MAX_BACKOFF_MS = 300_000;
const MAX_EXPONENT = 20;

/**
 * Milliseconds to wait after the `attempt`th try (1 is the first), growing up to 5 minutes or what is said, with "equal jitter"
 * (half fixed, half random) so that jobs that failed together do not come back together.
 */
export function backoffMs(
  attempt: number,
  { baseMs, factor, maxMs = MAX_BACKOFF_MS }: Backoff,
  random: () => number,
): number {
  const exponent = Math.min(Math.max(attempt - 1, 0), MAX_EXPONENT);
  const full = Math.min(maxMs, baseMs * factor ** exponent);
  return Math.round(full / 2 + (full / 2) * random());
}
