import { constants } from 'node:fs';
import { access, mkdir, rm, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { FFMPEG } from './ffmpeg-transcoder.ts';
import {
  type ConvertingProgram,
  createProgramTranscoder,
  type InstalledProgram,
} from './program-transcoder.ts';
import { SOX } from './sox-transcoder.ts';
import type { Transcoder } from './transcoder.ts';

/** The quicker one first. */
const PROGRAMS: readonly ConvertingProgram[] = [SOX, FFMPEG];

export interface OpenTranscoderOptions {
  /** For its own files; what lies in it is removed. */
  readonly directory: string;
  /** PATH. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** As in `ProgramTranscoderOptions`. */
  readonly space?: () => Promise<number | null>;
}

/**
 * What this host has for making recordings playable: SoX, FFmpeg, or both, of which each does what the other cannot.
 * Null, with a warning in the log, where it has neither. What an earlier run left half-done is removed.
 */
export async function openTranscoder(options: OpenTranscoderOptions): Promise<Transcoder | null> {
  const { directory, path, log } = options;
  await rm(directory, { recursive: true, force: true });
  const found = await Promise.all(PROGRAMS.map((program) => findProgram(program, path)));
  const [first, ...others] = found.filter((one) => one !== null);
  if (first === undefined) {
    log.warn(
      'TRANSCODE is on, and neither sox nor ffmpeg is on this host: recordings are delivered as they are',
    );
    return null;
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const programs = [first, ...others] as const;
  log.info('recordings that browsers cannot play are converted', {
    by: programs.map((one) => one.path).join(' '),
  });
  return createProgramTranscoder({ ...options, programs });
}

/** In the directories of a PATH that are absolute: what lies in a working directory is nobody's choice. */
async function findProgram(program: ConvertingProgram, path: string): Promise<InstalledProgram | null> {
  for (const directory of path.split(delimiter).filter(isAbsolute)) {
    const file = join(directory, program.name);
    if (await isExecutable(file)) return { ...program, path: file };
  }
  return null;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false; // it is not there, or not for us
  }
}
