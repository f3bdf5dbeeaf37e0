import { MAX_LEDGER_PAGE, type Watermark } from '../../protocol/messages.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { createWake } from '../platform/wake.ts';
import { backoffMs, LEDGER_BACKOFF } from '../queue/backoff.ts';
import type { LedgerEntry } from './ledger-lines.ts';
import type { Ledger } from './ledger.ts';

/** A peer that has lost its copy is found out at the latest after so long without a new entry. */
const RECHECK_MS = 10 * 60_000;
/** For one call; a page of entries is a few hundred kilobytes at most. */
const CALL_TIMEOUT_MS = 5_000;
/** A flush is for a handoff, in which the peer was just spoken to: a call that fails is repeated so often. */
const FLUSH_TRIES = 3;
const FLUSH_WAIT_MS = 100;

export interface ReplicatorStatus {
  /** Entries that the peer is not known to have. */
  readonly behind: number;
  /** Since when there are such; null where there are none. */
  readonly since: Temporal.Instant | null;
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly at: Temporal.Instant;
  } | null;
}

/** Keeps the peer's copy of this node's ledger level with it. */
export interface Replicator {
  /** Sends what there is and each entry as it is appended, until the signal aborts or `stop`. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when the peer has on disk all that is in the ledger now.
   * @throws AppError `ledger.behind` (retriable) where it cannot be reached, or the signal aborts first
   */
  flush(signal: AbortSignal): Promise<void>;
  status(): ReplicatorStatus;
  stop(): Promise<void>;
}

export interface ReplicatorOptions {
  readonly ledger: Pick<
    Ledger,
    'stream' | 'renewStream' | 'lastSerial' | 'entriesAfter' | 'countAfter' | 'latestWatermark' | 'onAppended'
  >;
  readonly peer: Pick<Peer, 'id' | 'call'>;
  readonly clock: Clock;
  readonly log: Log;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  readonly recheckMs?: number;
}

export function createReplicator(options: ReplicatorOptions): Replicator {
  const { ledger, peer, clock, log, random, recheckMs = RECHECK_MS } = options;
  const inTurn = createKeyedMutex();
  const wake = createWake();
  const stopping = new AbortController();
  const sender = createSender(ledger, peer);
  let running: Promise<void> = Promise.resolve();
  let behindSince: Temporal.Instant | null = clock.now();
  let lastError: ReplicatorStatus['lastError'] = null;

  ledger.onAppended(() => {
    if (sender.behind() > 0) behindSince ??= clock.now();
    wake.wake();
  });

  /** Brings the peer level, from wherever it is; `anew` asks it first. */
  const level = (signal: AbortSignal, anew = false): Promise<number> =>
    inTurn('send', async () => {
      if (anew) sender.lose();
      try {
        const sent = await sender.send(signal);
        behindSince = sender.behind() === 0 ? null : (behindSince ?? clock.now());
        lastError = null;
        return sent;
      } catch (error) {
        sender.lose();
        if (!signal.aborted) lastError = { code: codeOf(error), message: messageOf(error), at: clock.now() };
        throw error;
      }
    });

  const loop = async (signal: AbortSignal): Promise<void> => {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const sent = await level(signal);
        if (failures > 0) log.info('the peer has the ledger again', { peer: peer.id, entries: sent });
        else if (sent > 0) log.debug('the peer has new entries of the ledger', { entries: sent });
        failures = 0;
        const sinceMs = clock.monotonicMs();
        await wake.wait(recheckMs, signal);
        if (clock.monotonicMs() - sinceMs > recheckMs / 2) sender.lose();
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        const waitMs = backoffMs(failures, LEDGER_BACKOFF, random);
        const facts = {
          peer: peer.id,
          behind: sender.behind(),
          code: codeOf(error),
          reason: messageOf(error),
        };
        if (failures === 1) log.warn('the ledger cannot be sent to the peer; trying on', facts);
        else log.debug(`the ledger cannot be sent to the peer; again in ${waitMs} ms`, facts);
        await clock.sleep(waitMs, signal).catch(() => undefined); // stopped meanwhile: the loop looks
      }
    }
  };

  return {
    run: (signal) => {
      running = loop(AbortSignal.any([signal, stopping.signal]));
      return running;
    },
    flush: async (outer) => {
      const signal = AbortSignal.any([outer, stopping.signal]);
      const target = ledger.lastSerial();
      let failure: unknown = null;
      for (let tries = 0; tries < FLUSH_TRIES && !signal.aborted; tries += 1) {
        try {
          if (tries > 0) await clock.sleep(FLUSH_WAIT_MS, signal);
          // A copy that was lost or put back since it was last sent to would not be found out otherwise.
          await untilAborted(level(signal, true), signal);
          if (sender.hasUpTo(target)) return;
        } catch (error) {
          failure = error;
        }
      }
      const why = failure === null || signal.aborted ? 'not in time' : messageOf(failure);
      throw new AppError('ledger.behind', `${peer.id} does not have the whole ledger: ${why}`, {
        retriable: true,
        cause: failure,
      });
    },
    status: () => ({ behind: sender.behind(), since: sender.behind() === 0 ? null : behindSince, lastError }),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** The dialogue with the peer: where it is, and what comes next. */
function createSender(ledger: ReplicatorOptions['ledger'], peer: ReplicatorOptions['peer']) {
  /** What the peer has said to have, of which stream; kept for the count also when it has to be asked anew. */
  let confirmed = { stream: '', upTo: 0 };
  let isSure = false;
  let told: Watermark | null = null;

  const call = async (entries: readonly LedgerEntry[], watermark: Watermark | null, signal: AbortSignal) => {
    const stream = ledger.stream();
    const page = { stream, after: upTo(), entries: [...entries], watermark };
    const answer = await peer.call('ledger.append', page, { signal, timeoutMs: CALL_TIMEOUT_MS });
    confirmed = { stream, upTo: answer.upTo };
    told = watermark ?? told;
    return answer.upTo;
  };
  const upTo = (): number => (confirmed.stream === ledger.stream() ? confirmed.upTo : 0);

  return {
    /** Sends all that the peer lacks, page by page; gives how many entries that were. */
    send: async (signal: AbortSignal): Promise<number> => {
      if (!isSure && (await call([], null, signal)) > ledger.lastSerial()) {
        // The ledger was put back to an older state: its next serials would be taken for what the peer has.
        ledger.renewStream();
        await call([], null, signal);
      }
      isSure = true;
      for (let sent = 0; ;) {
        const watermark = ledger.latestWatermark();
        const end = ledger.lastSerial();
        const entries = await ledger.entriesAfter(upTo(), MAX_LEDGER_PAGE);
        const last = entries.at(-1);
        if (last === undefined) {
          if (watermark !== null && !isSame(told, watermark)) await call([], watermark, signal);
          return sent;
        }
        // A watermark stands for the entries up to it: it goes with the last of them, not before.
        const reached = await call(entries, last.serial >= end ? watermark : null, signal);
        if (reached < last.serial) {
          throw new AppError('peer.bad-answer', 'the peer did not take the entries it was sent', {
            retriable: true,
          });
        }
        sent += entries.length;
      }
    },
    /** Asks before the next page: the peer may be elsewhere than was thought. */
    lose: (): void => {
      isSure = false;
    },
    /** Whether nothing up to a serial is missing there; what was dropped here is not. */
    hasUpTo: (serial: number): boolean => isSure && ledger.countAfter(upTo()) <= ledger.countAfter(serial),
    behind: (): number => ledger.countAfter(upTo()),
  };
}

function isSame(a: Watermark | null, b: Watermark): boolean {
  return a?.uidValidity === b.uidValidity && a.uid === b.uid;
}

/** What comes of it, or the signal's reason as soon as it aborts. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const fail = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', fail, { once: true });
  if (signal.aborted) fail();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', fail);
  }
}
