import type { Job } from '../../protocol/job.ts';
import { DIGEST_COMMAND, digestJob, MAX_DIGEST_ITEMS } from '../commands/digest.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { JobAcceptor } from '../queue/spool.ts';
import type { DigestMails } from './answers.ts';
import type { HeldEntry, HeldMail } from './held-mail.ts';

const ROUND_MS = 60_000;
/** An answer waits so long for others to come with it. */
const HOLD_HOURS = 2;
/** Characters of all the answers in one digest: what its mail shows whole (replies/digest.ts). */
const MAX_DIGEST_LENGTH = 40_000;

export interface DigestsOptions {
  readonly answers: DigestMails;
  readonly held: HeldMail;
  readonly spool: JobAcceptor & {
    /** An open job. */
    get(id: string): Job | undefined;
    open(lane: 'replies'): readonly Job[];
  };
  readonly clock: Clock;
  readonly log: Log;
}

/** Sees to it that what is held back goes out. */
export interface Digests {
  /** Puts a digest into the queue for each person whose oldest answer has waited long enough; says what it did. */
  round(): Promise<string>;
  /** A round every minute, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createDigests(options: DigestsOptions): Digests {
  const { answers, held, spool, clock, log } = options;

  const round = async (): Promise<string> => {
    const now = clock.now();
    const busy = new Set(spool.open('replies').flatMap(digestFor));
    const due = now.subtract({ hours: HOLD_HOURS });
    let digests = 0;
    const waiting = held.list().filter((entry) => !isUnderWay(spool.get(entry.job), entry));
    for (const [to, entries] of Map.groupBy(waiting, (entry) => entry.to)) {
      const [oldest] = entries;
      if (oldest === undefined || busy.has(to)) continue;
      const heldAt = Temporal.Instant.from(oldest.at);
      // A clock that was set back must not hold anything longer than one that was not.
      const isDue = Temporal.Instant.compare(heldAt, due) <= 0 || Temporal.Instant.compare(heldAt, now) > 0;
      if (!isDue) continue;
      if (answers.digestAt(to) !== null) continue;
      await spool.accept(digestJob(to, fitting(entries), now));
      digests += 1;
    }
    return `${digests} digests were put into the queue; ${waiting.length} answers are held back`;
  };

  return {
    round,
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          if (held.list().length > 0) log.debug(await round());
        } catch (error) {
          const facts = { code: codeOf(error), reason: messageOf(error) };
          log.warn('digests could not be put into the queue; again in a minute', facts);
        }
        await clock.sleep(ROUND_MS, signal).catch(() => undefined); // Rejects on abort alone.
      }
    },
  };
}

/** Whom a job is a digest for. */
function digestFor({ request: { command, params } }: Job): string[] {
  return command === DIGEST_COMMAND && typeof params['to'] === 'string' ? [params['to']] : [];
}

/** Whether the mail is still to be sent to others: its next attempt asks here who had it held back. */
function isUnderWay(job: Job | undefined, { kind }: HeldEntry): boolean {
  return job !== undefined && job.outcome === null && job.steps[`mail:${kind}`]?.doneAt == null;
}

/** As many as fit into one mail; at least one. The others follow in the next. */
function fitting(entries: readonly HeldEntry[]): readonly HeldEntry[] {
  let length = 0;
  let count = 0;
  for (const entry of entries.slice(0, MAX_DIGEST_ITEMS)) {
    length += entry.length;
    if (count > 0 && length > MAX_DIGEST_LENGTH) break;
    count += 1;
  }
  return entries.slice(0, count);
}
