import { MAX_ACCESS_PAGE } from '../../protocol/messages.ts';
import type { RpcHandlers } from '../../protocol/methods.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createWake } from '../platform/wake.ts';
import { backoffMs, LEDGER_BACKOFF } from '../queue/backoff.ts';
import type { AccessRecord, AccessStore } from './access-store.ts';

/** All is told again after so long: a peer whose disk was put back, or that was restarted, is level within that. */
const FULL_MS = 60_000;
const CALL_TIMEOUT_MS = 5_000;
/** A page is far from what a call may hold, also where each person is limited to hundreds of extensions. */
const MAX_PAGE_BYTES = 500_000;

/** Keeps the peer's word on who may ask level with this node's. Each side tells the other; the newest record counts. */
export interface AccessReplicator {
  /** Tells each change at once and all of them every minute, until the signal aborts or `stop`. */
  run(signal: AbortSignal): Promise<void>;
  /** Says that the peer can be reached: what it could not be told is told at once. */
  hurry(): void;
  stop(): Promise<void>;
}

export interface AccessReplicatorOptions {
  readonly store: Pick<AccessStore, 'get' | 'list' | 'onChange'>;
  readonly nodeId: string;
  readonly peer: Pick<Peer, 'id' | 'call'>;
  readonly clock: Clock;
  readonly log: Log;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  readonly fullMs?: number;
}

export function createAccessReplicator(options: AccessReplicatorOptions): AccessReplicator {
  const { store, nodeId, peer, clock, log, random, fullMs = FULL_MS } = options;
  const wake = createWake();
  const stopping = new AbortController();
  const changed = new Set<string>();
  let running: Promise<void> = Promise.resolve();
  let failures = 0;

  store.onChange(({ key, node }) => {
    if (node !== nodeId) return; // the peer's own word
    changed.add(key);
    wake.wake();
  });

  const send = async (records: readonly AccessRecord[], signal: AbortSignal): Promise<number> => {
    let taken = 0;
    for (const page of pagesOf(records)) {
      const answer = await peer.call(
        'access.put',
        { records: page.map((record) => ({ ...record, value: structuredClone(record.value) as never })) },
        { signal, timeoutMs: CALL_TIMEOUT_MS },
      );
      taken += answer.taken;
    }
    return taken;
  };

  /** Sends what has changed, or all; what changes meanwhile is sent next. */
  const level = async (everything: boolean, signal: AbortSignal): Promise<number> => {
    const keys = [...changed];
    const records = everything ? store.list('') : keys.flatMap((key) => store.get(key) ?? []);
    changed.clear();
    return send(records, signal);
  };

  const loop = async (signal: AbortSignal): Promise<void> => {
    let fullAtMs = clock.monotonicMs();
    while (!signal.aborted) {
      const everything = clock.monotonicMs() >= fullAtMs;
      let waitMs: number;
      try {
        const taken = everything || changed.size > 0 ? await level(everything, signal) : 0;
        if (taken > 0)
          log.info('the peer knows of changes in who may ask', { peer: peer.id, records: taken });
        failures = 0;
        if (everything) fullAtMs = clock.monotonicMs() + fullMs;
        waitMs = Math.max(0, fullAtMs - clock.monotonicMs());
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        fullAtMs = clock.monotonicMs();
        waitMs = waitAfter(error);
      }
      if (changed.size === 0 || failures > 0) await wake.wait(waitMs, signal);
    }
  };

  const waitAfter = (error: unknown): number => {
    const facts = { peer: peer.id, code: codeOf(error), reason: messageOf(error) };
    if (failures === 1) log.warn('the peer could not be told who may ask; trying on', facts);
    else log.debug('the peer could not be told who may ask', facts);
    // A peer from before an upgrade does not know the call.
    return codeOf(error) === 'rpc.unknown-method' ? fullMs : backoffMs(failures, LEDGER_BACKOFF, random);
  };

  return {
    run: (signal) => {
      running = loop(AbortSignal.any([signal, stopping.signal]));
      return running;
    },
    hurry: () => {
      if (failures > 0) wake.wake();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

function* pagesOf(records: readonly AccessRecord[]): Generator<readonly AccessRecord[]> {
  let page: AccessRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const own = Buffer.byteLength(JSON.stringify(record));
    if (page.length === MAX_ACCESS_PAGE || (page.length > 0 && bytes + own > MAX_PAGE_BYTES)) {
      yield page;
      [page, bytes] = [[], 0];
    }
    page.push(record);
    bytes += own;
  }
  if (page.length > 0) yield page;
}

/** Takes over what the peer knows of who may ask. */
export function createAccessHandlers(store: Pick<AccessStore, 'merge'>): Pick<RpcHandlers, 'access.put'> {
  return {
    'access.put': async ({ records }, { caller }) => {
      if (caller === null) {
        throw new AppError('rpc.unauthenticated', 'only the peer tells who may ask', { retriable: true });
      }
      try {
        return { taken: (await store.merge(records)).length };
      } catch (error) {
        throw new AppError('rpc.unavailable', messageOf(error), { retriable: true, cause: error });
      }
    },
  };
}
