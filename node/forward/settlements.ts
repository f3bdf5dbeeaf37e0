import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Job, outcomeSchema, sha256Schema } from '../../protocol/job.ts';
import type { Peer } from '../peer/peer.ts';
import type { Clock } from '../platform/clock.ts';
import {
  isMissing,
  readBounded,
  removeDurable,
  syncDirectory,
  TEMPORARY_PREFIX,
  writeDurable,
} from '../platform/durable.ts';
import { AppError, codeOf, isRetriable, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { createWake } from '../platform/wake.ts';
import { backoffMs, PEER_BACKOFF } from '../queue/backoff.ts';
import { handedOverBy } from './forward-origin.ts';

const MAX_RECORD_BYTES = 65_536;
/** Reports that wait for a peer that is away; past these the oldest go: the peer asks for what it misses. */
const MAX_WAITING = 10_000;
/** The other side gives up waiting after seven days. */
const EXPIRED_HOURS = 8 * 24;
const IDLE_MS = 60_000;
const CALL_TIMEOUT_MS = 5_000;
const SUFFIX = '.json';
/** The peer's answers that may be about the one job that was told of, as where its document there is damaged. */
const ONE_ALONE: ReadonlySet<string> = new Set(['rpc.failed', 'rpc.unavailable']);

const recordSchema = z.strictObject({ id: sha256Schema, digest: sha256Schema, outcome: outcomeSchema });
type Settlement = z.infer<typeof recordSchema>;

export interface SettlementOptions {
  /** `STATE_DIR/settlements`: one file for each report that the peer has not acknowledged. */
  readonly directory: string;
  readonly peer: Peer;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

export type Settlements = Awaited<ReturnType<typeof openSettlements>>;

/** Reports to the peer how the jobs ended that it handed over, until it has that on disk. */
export async function openSettlements(options: SettlementOptions) {
  const { directory, peer, clock, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await syncDirectory(join(directory, '..'));
  const wake = createWake();
  const stopping = new AbortController();
  /** Oldest first. */
  const waiting = new Map<string, Settlement>();
  let loop: Promise<void> = Promise.resolve();
  /** A report and the one that takes its place are not written and removed at once. */
  const exclusive = createKeyedMutex();
  const pathOf = (id: string): string => join(directory, id + SUFFIX);
  for (const settlement of await load(directory, log)) waiting.set(settlement.id, settlement);
  await keepBounded();

  function drop(settlement: Settlement): Promise<void> {
    return exclusive(settlement.id, async () => {
      // Another outcome of a job that was retried meanwhile stays to be told.
      if (waiting.get(settlement.id) !== settlement) return;
      await removeDurable(pathOf(settlement.id));
      waiting.delete(settlement.id);
    });
  }

  async function write(settlement: Settlement): Promise<void> {
    const { id } = settlement;
    try {
      await writeDurable(pathOf(id), `${JSON.stringify(settlement)}\n`);
    } catch (error) {
      const message = `cannot write ${pathOf(id)}: ${messageOf(error)}`;
      throw new AppError('settlement.unwritable', message, { retriable: true, cause: error });
    }
    waiting.delete(id); // it is the newest now
    waiting.set(id, settlement);
  }

  async function keepBounded(): Promise<void> {
    const oldest = clock.now().subtract({ hours: EXPIRED_HOURS });
    for (const settlement of waiting.values()) {
      const isExpired = Temporal.Instant.compare(Temporal.Instant.from(settlement.outcome.at), oldest) < 0;
      if (!isExpired && waiting.size <= MAX_WAITING) continue;
      log.warn('how a job ended was never told to the peer', { job: settlement.id.slice(0, 8) });
      await drop(settlement);
    }
  }

  /** Tells one, until the matter is closed. @throws AppError where the peer is to be tried again */
  async function tell(settlement: Settlement): Promise<void> {
    const job = settlement.id.slice(0, 8);
    try {
      const { signal } = stopping;
      const { kind } = await peer.call('job.settled', settlement, { timeoutMs: CALL_TIMEOUT_MS, signal });
      log.info(`told ${peer.id} how a job ended: ${kind}`, { job });
    } catch (error) {
      if (isRetriable(error)) throw error;
      log.warn(`${peer.id} does not take how a job ended`, {
        job,
        code: codeOf(error),
        reason: messageOf(error),
      });
    }
    await drop(settlement);
  }

  /** Tells all that wait; gives what went wrong first. Where the peer is not reached, none of the others fares better. */
  async function round(): Promise<AppError | null> {
    let failure: AppError | null = null;
    for (const settlement of [...waiting.values()]) {
      if (stopping.signal.aborted) return failure;
      try {
        await tell(settlement);
      } catch (error) {
        failure ??= new AppError(codeOf(error), messageOf(error), { retriable: true, cause: error });
        if (!ONE_ALONE.has(codeOf(error))) return failure;
      }
    }
    return failure;
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const failure = await round();
      failures = failure === null ? 0 : failures + 1;
      if (failures === 1) {
        log.info(`${peer.id} is to be told how ${waiting.size} jobs ended, later`, {
          code: failure?.code ?? '',
        });
      }
      const waitMs = failure === null ? IDLE_MS : backoffMs(failures, PEER_BACKOFF, options.random);
      await wake.wait(waitMs, stopping.signal);
    }
  }

  return {
    /**
     * Notes how a job ended, before it is filed; nothing where it is no job of the peer's. Durable when it resolves.
     * @throws AppError `settlement.unwritable` (retriable)
     */
    note: async (job: Pick<Job, 'id' | 'digest' | 'details' | 'outcome'>): Promise<void> => {
      const { id, digest, outcome } = job;
      if (outcome === null || handedOverBy(job) === null) return;
      await exclusive(id, () => write({ id, digest, outcome }));
      await keepBounded();
      wake.wake();
    },
    /** Takes back what was noted of a job that is taken up again. @throws an error of the disk */
    withdraw: async (id: string): Promise<void> => {
      const settlement = waiting.get(id);
      if (settlement !== undefined) await drop(settlement);
    },
    /** How many reports the peer has not acknowledged. */
    count: (): number => waiting.size,
    /** Has what waits tried at once: the peer is known to answer again. */
    hurry: (): void => {
      if (waiting.size > 0) wake.wake();
    },
    start: (): void => {
      loop = run();
    },
    stop: async (): Promise<void> => {
      stopping.abort(new AppError('job.stopped', 'the node is stopping', { retriable: true }));
      await loop;
    },
  };
}

/** The reports on disk, oldest outcome first; what cannot be read is removed: the peer asks for what it misses. */
async function load(directory: string, log: Log): Promise<Settlement[]> {
  const settlements: Settlement[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (name.startsWith(TEMPORARY_PREFIX)) {
      // Of a report that was being written: its job is not filed before it is noted again.
      await removeDurable(path);
      continue;
    }
    try {
      const text = (await readBounded(path, MAX_RECORD_BYTES)).toString();
      settlements.push(recordSchema.parse(JSON.parse(text)));
    } catch (error) {
      if (isMissing(error)) continue;
      log.warn('a report for the peer cannot be read; it is removed', {
        file: name,
        reason: messageOf(error),
      });
      await removeDurable(path);
    }
  }
  return settlements.toSorted((a, b) =>
    Temporal.Instant.compare(Temporal.Instant.from(a.outcome.at), Temporal.Instant.from(b.outcome.at)),
  );
}
