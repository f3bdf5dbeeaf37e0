import { lstat, opendir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Clock } from './clock.ts';
import { isMissing } from './durable.ts';
import { codeOf, messageOf } from './errors.ts';
import type { Log } from './log.ts';

const ROUND_MS = 600_000;
/** However long it takes, it is no more than this part of the time. */
const MAX_PART_OF_TIME = 1 / 20;
/** So long after a start: what is to be done at once comes first. */
const FIRST_MS = 2_000;
/** Files looked at without a pause; the pause is as long as that took, so that half of the disk is everybody else's. */
const FILES_WITHOUT_PAUSE = 500;
const MAX_PAUSE_MS = 1_000;
/** Blocks of which st_blocks speaks, whatever those of the file system (stat(2)). */
const BLOCK_BYTES = 512;
const MAX_DEPTH = 40;
const DIRECTORY_BUFFER = 256;

/** What takes room in STATE_DIR, by the first names of its paths there. The queue may lie elsewhere. */
const PARTS: Readonly<Record<string, (name: string) => boolean>> = {
  results: (name) => name === 'web',
  deliveries: (name) => name.startsWith('deliveries'),
  index: (name) => name === 'index',
  audit: (name) => name === 'audit',
  ledger: (name) => name.startsWith('ledger'),
  'set aside': (name) => name === 'set-aside',
  quarantine: (name) => name === 'quarantine',
  'held mails': (name) => name === 'held',
  doubts: (name) => name === 'doubts',
  temporary: (name) => name === 'tmp',
};
const QUEUE = 'queue';
const OTHER = 'other';

/** What takes how much room. */
export interface DiskUse {
  /** The largest first; those without anything are left out. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
  /** All that lies in STATE_DIR. */
  readonly stateBytes: number;
  readonly measuredAt: Temporal.Instant;
}

export interface DiskUseOptions {
  readonly stateDir: string;
  readonly queueDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Measures again and again what STATE_DIR takes, slowly: there may be many files. */
export interface DiskUseMeter {
  /** As last measured; null before that. */
  last(): DiskUse | null;
  /** Measures now. A sentence. Rejects with the signal's reason, and where STATE_DIR cannot be read. */
  measure(signal: AbortSignal): Promise<string>;
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Measures nothing until it is run or told to. */
export function createDiskUse({ stateDir, queueDir, clock, log }: DiskUseOptions): DiskUseMeter {
  let last: DiskUse | null = null;

  const measure = async (signal: AbortSignal): Promise<string> => {
    const rest = createRest(clock, signal);
    const parts = new Map<string, number>();
    const add = (part: string, bytes: number): void => {
      parts.set(part, (parts.get(part) ?? 0) + bytes);
    };
    let stateBytes = 0;
    for await (const { name } of await opendir(stateDir)) {
      const path = join(stateDir, name);
      const bytes = await bytesOf(path, rest);
      stateBytes += bytes;
      add(path === queueDir ? QUEUE : partOf(name), bytes);
    }
    const fromState = relative(stateDir, queueDir);
    const isOutside = fromState === '..' || fromState.startsWith(`..${sep}`);
    if (isOutside) add(QUEUE, await bytesOf(queueDir, rest));
    const shown = [...parts].map(([name, bytes]) => ({ name, bytes })).filter(({ bytes }) => bytes > 0);
    last = {
      parts: shown.toSorted((a, b) => b.bytes - a.bytes),
      stateBytes,
      measuredAt: clock.now(),
    };
    return `STATE_DIR takes ${stateBytes} bytes, in ${rest.files()} files and directories`;
  };

  return {
    last: () => last,
    measure,
    run: async (signal) => {
      let waitMs = FIRST_MS;
      for (;;) {
        await clock.sleep(waitMs, signal).catch(() => undefined); // Rejects on abort alone.
        if (signal.aborted) return;
        const sinceMs = clock.monotonicMs();
        try {
          log.debug(await measure(signal));
        } catch (error) {
          if (signal.aborted) return;
          log.warn('what STATE_DIR takes cannot be told', { code: codeOf(error), reason: messageOf(error) });
        }
        waitMs = Math.max(ROUND_MS, (clock.monotonicMs() - sinceMs) / MAX_PART_OF_TIME);
      }
    },
  };
}

function partOf(name: string): string {
  return Object.entries(PARTS).find(([, isIn]) => isIn(name))?.[0] ?? OTHER;
}

/** Counts what was looked at, and rests in between. */
export interface Rest {
  /** To be called for each file. @throws the signal's reason */
  one(): Promise<void>;
  files(): number;
}

/** Rests after each 500 files for as long as these took, a second at most. */
export function createRest(clock: Clock, signal: AbortSignal): Rest {
  let files = 0;
  let sinceMs = clock.monotonicMs();
  return {
    files: () => files,
    one: async () => {
      signal.throwIfAborted();
      files += 1;
      if (files % FILES_WITHOUT_PAUSE !== 0) return;
      await clock.sleep(Math.min(MAX_PAUSE_MS, clock.monotonicMs() - sinceMs), signal);
      sinceMs = clock.monotonicMs();
    },
  };
}

/**
 * What a file takes on disk, or a directory with all that lies in it, in bytes. Links are not followed. What goes away
 * meanwhile counts nothing; what lies deeper than 40 directories is not looked at.
 */
export async function bytesOf(path: string, rest?: Rest, depth = 0): Promise<number> {
  await rest?.one();
  try {
    const about = await lstat(path);
    let bytes = about.blocks * BLOCK_BYTES;
    if (!about.isDirectory() || depth >= MAX_DEPTH) return bytes;
    for await (const { name } of await opendir(path, { bufferSize: DIRECTORY_BUFFER })) {
      bytes += await bytesOf(join(path, name), rest, depth + 1);
    }
    return bytes;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
