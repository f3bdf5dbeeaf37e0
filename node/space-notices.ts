import { join } from 'node:path';
import * as z from 'zod';
import { instantSchema } from '../protocol/ledger.ts';
import { noticeJob } from './commands/answer-jobs.ts';
import type { Clock } from './platform/clock.ts';
import { isMissing, readBounded, removeDurable, writeDurable } from './platform/durable.ts';
import { codeOf, messageOf } from './platform/errors.ts';
import type { Log } from './platform/log.ts';
import type { DiskSpace, SpaceWatch } from './platform/space.ts';
import type { JobAcceptor } from './queue/spool.ts';

const ROUND_MS = 5_000;
const DAY_MS = 86_400_000;
const FILE = 'disk-low.json';
const MAX_FILE_BYTES = 1_000;

const recordSchema = z.strictObject({ since: instantSchema });

export interface SpaceNoticesOptions {
  readonly space: SpaceWatch;
  readonly acceptor: JobAcceptor;
  readonly nodeId: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells the admin that the disk has too little room: when that begins, and again after each day that it lasts. */
export interface SpaceNotices {
  /** Looks once. A sentence. @throws what the spool throws; then nothing is taken for told */
  check(): Promise<string>;
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createSpaceNotices(options: SpaceNoticesOptions): SpaceNotices {
  const { space, stateDir, clock, log } = options;
  const path = join(stateDir, FILE);
  /** Since when it is low; null where it is not; undefined before that was read. */
  let since: Temporal.Instant | null | undefined;
  let told = '';

  /** A restart is not another beginning. On a disk that is full the file may be missing: then it is. */
  const keep = async (begun: Temporal.Instant | null): Promise<void> => {
    since = begun;
    told = '';
    try {
      if (begun === null) await removeDurable(path);
      else await writeDurable(path, `${JSON.stringify({ since: begun.toString() })}\n`);
    } catch (error) {
      log.warn('since when the disk is low cannot be kept', { reason: messageOf(error) });
    }
  };

  const check = async (): Promise<string> => {
    const seen = await space.look();
    if (since === undefined) since = await readSince(path, log);
    if (!seen.isLow) {
      if (since === null) return 'there is room on disk';
      await keep(null);
      log.info('there is room on disk again: new work is taken', { freeBytes: seen.freeBytes });
      return 'there is room on disk again';
    }
    const now = clock.now();
    const begun = since ?? now;
    if (since === null) {
      await keep(begun);
      const { freeBytes, headroomBytes } = seen;
      log.warn('there is too little room on disk: new work is refused', { freeBytes, headroomBytes });
    }
    const days = Math.max(0, Math.floor((now.epochMilliseconds - begun.epochMilliseconds) / DAY_MS));
    const about = `${options.nodeId} ${begun.toString()} ${days}`;
    if (told === about) return 'there is too little room on disk; the admin knows';
    const { kind } = await options.acceptor.accept(noticeJob('disk-low', about, details(seen, begun)));
    told = about;
    return `there is too little room on disk; the admin ${kind === 'accepted' ? 'is told' : 'knows'}`;
  };

  const details = ({ freeBytes, headroomBytes }: DiskSpace, begun: Temporal.Instant) => ({
    ...{ freeBytes: String(freeBytes), headroomBytes: String(headroomBytes) },
    ...{ since: begun.toString(), stateDir, status: 'node-ctl status' },
  });

  return {
    check,
    run: async (signal) => {
      let said = '';
      while (!signal.aborted) {
        try {
          const sentence = await check();
          if (sentence !== said) log.debug(sentence);
          said = sentence;
        } catch (error) {
          const code = codeOf(error);
          if (code !== said)
            log.warn('the admin could not be told of the disk yet', { code, reason: messageOf(error) });
          said = code;
        }
        await clock.sleep(ROUND_MS, signal).catch(() => undefined); // Rejects on abort alone.
      }
    },
  };
}

async function readSince(path: string, log: Log): Promise<Temporal.Instant | null> {
  try {
    const { since } = recordSchema.parse(
      JSON.parse((await readBounded(path, MAX_FILE_BYTES)).toString('utf8')),
    );
    return Temporal.Instant.from(since);
  } catch (error) {
    if (!isMissing(error))
      log.warn('since when the disk is low cannot be read', { reason: messageOf(error) });
    return null;
  }
}
