import { constants } from 'node:fs';
import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises';
import { bestEffort } from '../platform/best-effort.ts';
import { mapBounded } from '../platform/concurrency.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { audioFactsOf } from './audio-facts.ts';
import { dayRangeOf } from './day-folders.ts';
import { walk } from './disk-walk.ts';
import { exactStream } from './exact-stream.ts';
import { isGone } from './folder-entries.ts';
import { faultOf, readBeginning } from './inspect.ts';
import {
  byTimeThenKey,
  type Candidate,
  type Confirm,
  type Confirmed,
  type Match,
  matchesOf,
  narrow,
  recordingOf,
  refuseTooMany,
} from './match.ts';
import { type NumberOrder, parseRecordingName, patternOf } from './name.ts';
import { gatherNearest } from './nearby.ts';
import { isInside, NOT_MOUNTED, unavailable, warnOfLinkedFolders } from './root-folder.ts';
import type {
  FindResult,
  Nearby,
  OpenedRecording,
  Recording,
  RecordingFault,
  RecordingQuery,
  RecordingSource,
} from './source.ts';

const STAT_CONCURRENCY = 16;
/** Who gets an answer that nothing was found does not wait longer for what was near. */
const NEARBY_MS = 20_000;
/** Every day that a directory can be called after. */
const EVER = { first: '0000-01-01', last: '9999-12-31' };

export interface DiskSourceOptions {
  /** RECORDINGS_DIR. */
  readonly root: string;
  /** RECORDINGS_ORDER. */
  readonly order: NumberOrder;
  readonly clock: Clock;
  readonly log: Log;
  /** A search that finds more is refused with `recordings.too-many`. */
  readonly maxRecordings?: number;
}

/** Recordings on this host's disk, searched by walking the tree. Nothing outside the tree is listed or opened. */
export function createDiskSource(options: DiskSourceOptions): RecordingSource {
  return {
    name: 'audio',
    direct: null,
    measure: () => Promise.resolve(null),
    nearby: (query, signal) =>
      bestEffort(options.clock, NEARBY_MS, signal, (inTime) => nearby(options, query, inTime)),
    find: (query, signal) => find(options, query, signal),
    open: (recording, signal) => openRecording(options, recording, signal),
  };
}

async function find(
  options: DiskSourceOptions,
  query: RecordingQuery,
  signal: AbortSignal,
): Promise<FindResult> {
  signal.throwIfAborted();
  const begun = options.clock.monotonicMs();
  const wanted = patternOf(query.extensions);
  const root = await rootOf(options.root);
  const walked = await walk({
    root,
    range: dayRangeOf(query),
    server: query.server,
    wanted: (name) => wanted.test(name),
    signal,
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw unavailable(options.root, error);
  });
  if (walked.names === 0) throw unavailable(options.root, NOT_MOUNTED);

  const matches = matchesOf(walked.found, query, options.order);
  const { chosen, narrowed } = narrow(matches, walked.sawServer, query.server);
  refuseTooMany(chosen.length, options.maxRecordings);
  warnOfLinkedFolders(options.log, walked.linkedFolders);
  const { recordings } = await confirm(root, chosen, signal);
  options.log.info('searched the recordings on disk', {
    names: walked.names,
    matches: recordings.length,
    unreadable: walked.unreadable.length,
    ms: Math.round(options.clock.monotonicMs() - begun),
  });
  return {
    recordings: recordings.toSorted(byTimeThenKey),
    narrowedByServer: narrowed,
    unreadable: walked.unreadable.toSorted(),
  };
}

/** By the names of all the tree: what they name is not looked at. */
async function nearby(
  options: DiskSourceOptions,
  query: RecordingQuery,
  signal: AbortSignal,
): Promise<Nearby> {
  const wanted = patternOf(query.extensions);
  const nearest = gatherNearest(query);
  const { sawServer } = await walk({
    root: await rootOf(options.root),
    range: EVER,
    server: query.server,
    wanted: (name, underServer) => {
      const parsed = wanted.test(name) ? parseRecordingName(name, options.order) : null;
      if (parsed !== null) nearest.note(parsed, underServer);
      return false; // it has been seen to
    },
    signal,
  });
  return { extensions: nearest.result(sawServer), days: null };
}

/** Looks at matches on disk, as `find` does: nothing outside the tree is listed. */
export function createDiskConfirm(path: string): Confirm {
  return async (matches, signal) => confirm(await rootOf(path), matches, signal);
}

async function confirm(
  root: string,
  matches: readonly Match<Candidate>[],
  signal: AbortSignal,
): Promise<Confirmed> {
  const recordings: Recording[] = [];
  const gone: string[] = [];
  await mapBounded(matches, STAT_CONCURRENCY, async (match) => {
    signal.throwIfAborted();
    const { key } = match.candidate;
    const sizeBytes = await sizeOf(root, key);
    if (sizeBytes === 'elsewhere') return;
    if (sizeBytes === 'gone') gone.push(key);
    recordings.push(recordingOf(match, sizeBytes === 'gone' ? 0 : sizeBytes));
  });
  return { recordings, gone };
}

/** `elsewhere` for a symlink that leaves the tree or leads to no file. What cannot be examined has size 0. */
async function sizeOf(root: string, key: string): Promise<number | 'elsewhere' | 'gone'> {
  let linked = false;
  try {
    const itself = await lstat(`${root}/${key}`);
    linked = itself.isSymbolicLink();
    if (!linked) return itself.isFile() ? itself.size : 'elsewhere';
    const path = await realpath(`${root}/${key}`);
    if (!isInside(root, path)) return 'elsewhere';
    const status = await stat(path);
    return status.isFile() ? status.size : 'elsewhere';
  } catch (error) {
    if (linked) return 'elsewhere';
    // Gone or unreadable: opening it tells which, and the answer lists it.
    return isGone(error) ? 'gone' : 0;
  }
}

async function openRecording(
  options: DiskSourceOptions,
  recording: Recording,
  signal: AbortSignal,
): Promise<OpenedRecording | RecordingFault> {
  signal.throwIfAborted();
  const root = await rootOf(options.root);
  try {
    // Resolved first, then opened without following: a link that leaves the tree is refused.
    const path = await realpath(`${root}/${recording.key}`);
    if (!isInside(root, path)) return 'unreadable';
    // Non-blocking, so that a FIFO of the right name cannot hold the job.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const opened = await examine(file, recording, options.clock).catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    if (typeof opened === 'string') await file.close();
    return opened;
  } catch (error) {
    if (isGone(error)) return 'vanished';
    options.log.warn('a recording cannot be read', { key: recording.key, code: codeOf(error) });
    return 'unreadable';
  }
}

async function examine(
  file: FileHandle,
  recording: Recording,
  clock: Clock,
): Promise<OpenedRecording | RecordingFault> {
  const status = await file.stat();
  if (!status.isFile()) return 'unreadable';
  const modifiedAt = Temporal.Instant.fromEpochMilliseconds(Math.floor(status.mtimeMs));
  const { format, key } = recording;
  const sizeBytes = status.size;
  const beginning = await readBeginning(file);
  const fault = faultOf(format, sizeBytes, beginning, modifiedAt, clock.now());
  if (fault === 'empty') return fault;
  const audio = audioFactsOf(format, sizeBytes, beginning);
  return { stream: exactStream(file, sizeBytes, key), sizeBytes, fault, audio };
}

async function rootOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw unavailable(path, error);
  }
}
