import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Converted, Transcoder } from './transcoder.ts';

/** No recording is converted beyond: four hours. */
export const LONGEST_SECONDS = 14_400;
/** Nor to more than this. */
export const MAX_PLAYING_BYTES = 256 * 1024 * 1024;
/** A program that takes longer hangs, or was given something that is made to take long. */
const MAX_MS = 120_000;
/** So often it is looked at how large its output is. */
const LOOK_MS = 250;
/** Everything else on the host goes first. */
const NICENESS = 10;
const MAX_COMPLAINT_LENGTH = 300;
const NO_SPACE = 'transcode.no-space';
/** A WAV with nothing in it. */
const EMPTY_BYTES = 44;

/** A program that turns what comes in at its standard input into a WAV. */
export interface ConvertingProgram {
  readonly name: Transcoder['name'];
  /** Null for a format that it does not know. No argument is made of anything but these two. */
  argumentsFor(format: string, output: string): readonly string[] | null;
}

export interface InstalledProgram extends ConvertingProgram {
  /** Of the file that is run. */
  readonly path: string;
}

export interface ProgramTranscoderOptions {
  /** The first that knows a format converts it. At least one. */
  readonly programs: readonly [InstalledProgram, ...InstalledProgram[]];
  /** Where output lies until it is opened. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes that may be filled on the disk of `directory`; null, or where it is left out: nobody minds. */
  readonly space?: () => Promise<number | null>;
  /** 120 s unless told. */
  readonly maxMs?: number;
  /** {@link MAX_PLAYING_BYTES} unless told. */
  readonly maxBytes?: number;
}

/** Converts by programs of the host, each a process of its own: never by a shell, and with nothing of our environment. */
export function createProgramTranscoder(options: ProgramTranscoderOptions): Transcoder {
  const { programs, directory, log, maxBytes = MAX_PLAYING_BYTES } = options;
  let running = 0;
  /** One more, where there is room for the most that each can make. */
  const runInSpace = async (...how: Parameters<typeof run>): Promise<void> => {
    const freeBytes = (await options.space?.()) ?? null;
    if (freeBytes !== null && freeBytes < (running + 1) * maxBytes) {
      throw new AppError(NO_SPACE, `of the disk there are ${Math.floor(freeBytes)} bytes for it`);
    }
    running += 1;
    try {
      await run(...how);
    } finally {
      running -= 1;
    }
  };
  return {
    name: programs[0].name,
    toPlayable: async (body, format, signal) => {
      const output = join(directory, `${randomUUID()}.wav`);
      try {
        signal.throwIfAborted();
        for (const program of programs) {
          const given = program.argumentsFor(format, output);
          if (given === null) continue;
          await runInSpace(options, program, given, { body, output, signal });
          return await take(output);
        }
        return null;
      } catch (error) {
        signal.throwIfAborted();
        const facts = { format, code: codeOf(error), cause: messageOf(error) };
        // Told by how many were converted; there may be thousands.
        const level = facts.code === NO_SPACE ? 'debug' : 'warn';
        log[level]('a recording could not be converted for playing', facts);
        return null;
      } finally {
        body.destroy();
        await rm(output, { force: true });
      }
    },
  };
}

/** One conversion. */
interface Conversion {
  readonly body: Readable;
  readonly output: string;
  readonly signal: AbortSignal;
}

/** @throws where it does not come to a good end; nothing of it runs on */
async function run(
  { directory, clock, maxMs = MAX_MS, maxBytes = MAX_PLAYING_BYTES }: ProgramTranscoderOptions,
  { name, path }: InstalledProgram,
  given: readonly string[],
  { body, output, signal }: Conversion,
): Promise<void> {
  const ended = new AbortController();
  const child = spawn(path, given, {
    cwd: directory,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: directory, TMPDIR: directory },
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true, // a group of its own, so that what it may begin itself ends with it
  });
  const stop = (): void => {
    killGroup(child);
    // What has left the group may hold it open for ever.
    child.stderr.destroy();
  };
  const stopped = AbortSignal.any([signal, ended.signal]);
  stopped.addEventListener('abort', stop, { once: true });
  const complaint = listen(child);
  const exited = exitOf(child);
  const watched = watch({ clock, output, maxMs, maxBytes, signal: ended.signal }).catch((error: unknown) =>
    ended.abort(error),
  );
  const fed = pipeline(body, child.stdin).catch((error: unknown) => {
    // One that has heard enough closes its input, or ends: its exit says whether that was well.
    if (codeOf(error) !== 'EPIPE' && !isOver(child)) ended.abort(error);
  });
  let code: number | null = null;
  try {
    code = await exited;
    stopped.throwIfAborted();
  } finally {
    stopped.removeEventListener('abort', stop);
    body.destroy();
    ended.abort(new Error('it has ended'));
    await Promise.all([watched, fed]);
  }
  if (code !== 0) {
    throw new AppError('transcode.failed', `${name} ended with ${code ?? 'a signal'}: ${complaint()}`);
  }
}

/** Resolves with the exit status when the process and its streams are gone; null where it was killed. Rejects where it could not run. */
async function exitOf(child: Child): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
    // Without a process there is nothing that closes.
    if (child.pid === undefined) resolve(null);
  });
  // What it leaves behind holds its streams open, and runs on: it ends with it.
  child.once('exit', () => killGroup(child));
  child.once('close', (code) => resolve(code));
  if (child.pid !== undefined) beNice(child.pid);
  const code = await promise;
  if (failure !== null) throw failure as Error;
  return code;
}

type Child = ChildProcessByStdio<Writable, null, Readable>;

function isOver({ exitCode, signalCode }: Child): boolean {
  return exitCode !== null || signalCode !== null;
}

/** All of its group, also where the program itself has ended. Not to be called when its streams are closed too. */
function killGroup({ pid }: Child): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

function beNice(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It has ended already, or the system does not let us: then it is as important as anything else.
  }
}

/** The beginning of what it says of errors. */
function listen(child: Child): () => string {
  let said = '';
  child.stderr.setEncoding('latin1');
  child.stderr.on('data', (text: string) => {
    said = (said + text).slice(0, MAX_COMPLAINT_LENGTH);
  });
  return () => said.replaceAll(/[^\x20-\x7e]+/g, ' ').trim();
}

interface Limits {
  readonly clock: Clock;
  readonly output: string;
  readonly maxMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Rejects when a conversion has taken too long, or has made too much. */
async function watch({ clock, output, maxMs, maxBytes, signal }: Limits): Promise<never> {
  for (let ms = 0; ms < maxMs; ms += LOOK_MS) {
    await clock.sleep(LOOK_MS, signal);
    const size = (await stat(output).catch(() => null))?.size ?? 0; // nothing yet
    if (size > maxBytes) throw new AppError('transcode.too-large', `it makes more than ${maxBytes} bytes`);
  }
  throw new AppError('transcode.too-slow', `it takes longer than ${Math.round(maxMs / 1000)} s`);
}

/** The output as a stream; on disk it has no name any more, so that it goes with the stream. */
async function take(output: string): Promise<Converted | null> {
  const file = await open(output, 'r');
  try {
    await rm(output);
    const { size } = await file.stat();
    if (size > EMPTY_BYTES) return { stream: file.createReadStream(), sizeBytes: size };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return null;
}
