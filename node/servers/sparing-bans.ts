import type { Clock } from '../platform/clock.ts';
import type { Bans, ServerReport } from './bans.ts';
import type { Server } from './inventory.ts';

/** Whoever says nothing within this holds nobody up. */
const SLOW_MS = 3_000;
/** A server that could not be checked is left alone for so many times as long as that took, and not longer than this. */
const SPARED_TIMES = 5;
const MAX_SPARED_MS = 300_000;

/**
 * Asks no server again and again of which it was only just seen, after a long wait, that it does not answer: the requests
 * that are all to be tried again with it would take the lane from those of other servers. Its reports meanwhile say
 * what the last try said.
 */
export function createSparingBans(bans: Bans, clock: Clock): Bans {
  const silent = new Map<string, { readonly report: ServerReport; readonly untilMs: number }>();

  const sparing = async (
    { id }: Server,
    signal: AbortSignal,
    ask: () => Promise<ServerReport>,
  ): Promise<ServerReport> => {
    const begunMs = clock.monotonicMs();
    const known = silent.get(id);
    if (known !== undefined && begunMs < known.untilMs)
      return { ...known.report, at: clock.now().toString() };
    const report = await ask();
    const endMs = clock.monotonicMs();
    const tookMs = endMs - begunMs;
    if (report.state !== 'unchecked' || tookMs < SLOW_MS || signal.aborted) silent.delete(id);
    else silent.set(id, { report, untilMs: endMs + Math.min(MAX_SPARED_MS, SPARED_TIMES * tookMs) });
    return report;
  };

  return {
    look: (server, ip, signal) => sparing(server, signal, () => bans.look(server, ip, signal)),
    release: (server, ip, note, signal) =>
      sparing(server, signal, () => bans.release(server, ip, note, signal)),
    expire: bans.expire,
  };
}
