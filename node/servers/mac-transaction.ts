import { posix } from 'node:path';
import { AppError, codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { advance, discardJournal, type MacJournal, readJournal, writeJournal } from './mac-journal.ts';
import { type MacManifest, manifestOf, sha256 } from './mac-manifest.ts';
import type { MacPlan } from './mac-plan.ts';
import type { MacRequest } from './mac-phones.ts';
import type { RemoteFiles, RemoteStat } from './remote.ts';

/** Largest file that is read and written: 1,400 extensions fill less than a megabyte. */
export const MAX_MAC_FILE_BYTES = 16 * 1024 * 1024;

/** A change that is ready to be made, with what it needs in memory. */
export interface Prepared {
  readonly journal: MacJournal;
  readonly plan: MacPlan;
}

/** Reads what the declaration says of a text: whether the extension has a MAC there, and the text with another. */
export interface RecordWriter {
  /** Null where the file is not declared, or the record is not there once. */
  hasMac(path: string, content: Buffer, extension: string, mac: string | null): boolean;
  withMac(path: string, content: Buffer, extension: string, mac: string | null): Buffer | null;
}

/**
 * Puts all that a change needs on the disk: backups, plan, and beside each file its new content and its old one, so that
 * neither to go on nor to go back needs any room. Owners and modes are tried here. Nothing of the server's is touched.
 * @throws AppError `mac.owner-lost` where a new file cannot have the owner and mode of the old one
 */
export async function prepare(
  files: RemoteFiles,
  directory: string,
  jobId: string,
  request: MacRequest,
  plan: MacPlan,
): Promise<Prepared> {
  const { manifest, backups } = manifestOf(directory, jobId, request, plan);
  const journal = { directory, manifest };
  await writeJournal(files, journal, backups);
  for (const [index, { before, after }] of plan.edits.entries()) {
    const { fresh, former } = manifest.edits[index] ?? missing();
    await createLike(files, fresh, after, before.stat);
    await createLike(files, former, before.content, before.stat);
  }
  for (const [index, { file, anew }] of plan.moves.entries()) {
    const { from } = manifest.moves[index] ?? missing();
    if (anew) await createLike(files, from, file.content, file.stat);
  }
  return { journal, plan };
}

/**
 * Makes a prepared change: each file is compared once more right before its new content takes its place, and read back
 * afterwards. `touching` is called before the first.
 * @throws AppError `mac.changed-meanwhile` (retriable), `mac.read-back`, and as the files; then it is to be undone
 */
export async function commit(
  files: RemoteFiles,
  { journal, plan }: Prepared,
  touching: () => Promise<void>,
): Promise<void> {
  const { edits, moves } = journal.manifest;
  await touching();
  for (const [index, edit] of edits.entries()) {
    const { stat } = plan.edits[index]?.before ?? missing();
    await compare(files, edit.path, edit.before, stat);
    await files.replace(edit.fresh, edit.path);
  }
  for (const { from, to } of moves) await files.rename(from, to);
  for (const { path, after } of edits) {
    const found = await digestOf(files, path);
    if (found !== after)
      throw new AppError('mac.read-back', `${path} does not hold what was written`, { retriable: true });
  }
  for (const { to } of moves) await files.stat(to);
  await advance(files, journal, 'prepared', 'changed');
}

/** How a change stands after it was settled: all files have it, or none. */
export type Settled = { readonly journal: MacJournal; readonly isNotified: boolean } | null;

/**
 * Settles a change that may be half-way: forward where all definition files have it, back otherwise. Once it has been
 * decided to go back, that stands. Names that a lost session may still be about to rename are taken away first, so that
 * what it asked for last cannot happen any more. Null where all is as before. May be called again wherever it broke off.
 */
export async function settle(
  files: RemoteFiles,
  directory: string,
  writer: RecordWriter,
  log: Log,
): Promise<Settled> {
  const found = await readJournal(files, directory);
  if (found === null) {
    await discardJournal(files, directory);
    return null;
  }
  const { state, journal } = found;
  if (state === 'finished') return { journal, isNotified: true };
  if (state === 'changed') return { journal, isNotified: false };
  const { edits } = journal.manifest;
  if (state === 'prepared') {
    for (const { fresh } of edits) await files.remove(fresh);
    if ((await allChanged(files, journal, writer)) && (await movedForward(files, journal))) {
      await advance(files, journal, 'prepared', 'changed');
      log.info('a change of MAC that broke off was finished', { change: posix.basename(directory) });
      return { journal, isNotified: false };
    }
  }
  await undo(files, journal, writer, log, state);
  log.info('a change of MAC that broke off was taken back', { change: posix.basename(directory) });
  return null;
}

/** Takes a change back, from `prepared` or where it broke off before. Then its directory is gone. */
export async function undo(
  files: RemoteFiles,
  journal: MacJournal,
  writer: RecordWriter,
  log: Log,
  state: 'prepared' | 'undoing' = 'prepared',
): Promise<void> {
  const { edits, moves, trash } = journal.manifest;
  if (state === 'prepared') await advance(files, journal, 'prepared', 'undoing');
  for (const { fresh } of edits) await files.remove(fresh);
  for (const { from, to } of moves.toReversed()) {
    // Both there: the other one is somebody else's, and ours has not been moved.
    if (!(await exists(files, from)) && (await exists(files, to))) await files.rename(to, from);
  }
  for (const edit of edits.toReversed()) await undoEdit(files, journal.manifest, edit, writer, log);
  for (const path of trash) await files.remove(path);
  await discardJournal(files, journal.directory);
}

/** What is left to do when all files have it: our files beside them go, and it counts as finished. */
export async function tidy(files: RemoteFiles, { manifest }: MacJournal): Promise<void> {
  for (const path of manifest.trash) await files.remove(path);
}

async function undoEdit(
  files: RemoteFiles,
  { request }: MacManifest,
  { path, former, backup, before, after }: MacManifest['edits'][number],
  writer: RecordWriter,
  log: Log,
): Promise<void> {
  if (!(await exists(files, path))) return log.warn('a file to be put back is gone', { path });
  const content = await files.read(path, MAX_MAC_FILE_BYTES);
  const found = sha256(content);
  if (found === before) return;
  if (found === after && (await exists(files, former))) return files.replace(former, path);
  // Somebody has written to it since: only what is ours is taken back.
  const { extension, from, to } = request;
  const isOurs = found === after || writer.hasMac(path, content, extension, to);
  const old = !isOurs
    ? null
    : found === after
      ? await files.read(backup, MAX_MAC_FILE_BYTES)
      : writer.withMac(path, content, extension, from);
  if (old === null) return log.warn('a file was changed by somebody else and is left so', { path });
  const stat = await files.stat(path);
  await files.remove(former);
  await createLike(files, former, old, stat);
  await files.replace(former, path);
}

async function allChanged(
  files: RemoteFiles,
  { manifest }: MacJournal,
  writer: RecordWriter,
): Promise<boolean> {
  const { extension, to } = manifest.request;
  for (const { path, after } of manifest.edits) {
    if (!(await exists(files, path))) return false;
    const content = await files.read(path, MAX_MAC_FILE_BYTES);
    if (sha256(content) !== after && !writer.hasMac(path, content, extension, to)) return false;
  }
  return true;
}

/** Finishes the renames; false where somebody's file is in the way. */
async function movedForward(files: RemoteFiles, { manifest }: MacJournal): Promise<boolean> {
  for (const { from, to } of manifest.moves) {
    const isThere = await exists(files, from);
    if (isThere && (await exists(files, to))) return false;
    if (isThere) await files.rename(from, to);
  }
  return true;
}

async function compare(files: RemoteFiles, path: string, digest: string, was: RemoteStat): Promise<void> {
  const found = await digestOf(files, path);
  const now = await files.stat(path);
  const isSame =
    found === digest &&
    now.kind === was.kind &&
    now.mode === was.mode &&
    now.uid === was.uid &&
    now.gid === was.gid;
  if (isSame) return;
  throw new AppError('mac.changed-meanwhile', `${path} was changed by somebody else at the same time`, {
    retriable: true,
  });
}

async function digestOf(files: RemoteFiles, path: string): Promise<string> {
  return sha256(await files.read(path, MAX_MAC_FILE_BYTES));
}

async function createLike(
  files: RemoteFiles,
  path: string,
  content: Buffer,
  like: RemoteStat,
): Promise<void> {
  const { mode, uid, gid } = like;
  try {
    await files.create(path, content, { mode, uid, gid });
  } catch (error) {
    if (codeOf(error) !== 'server.denied') throw error;
    throw ownerLost(path, like, error);
  }
  const made = await files.stat(path);
  if (made.mode !== mode || made.uid !== uid || made.gid !== gid) throw ownerLost(path, like);
}

function ownerLost(path: string, { mode, uid, gid }: RemoteStat, cause?: unknown): AppError {
  const told = `${path}: this user cannot make a file of owner ${uid}:${gid} and mode ${mode.toString(8)} there`;
  return new AppError('mac.owner-lost', told, { cause });
}

async function exists(files: RemoteFiles, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'server.no-file') return false;
    throw error;
  }
}

function missing(): never {
  throw new AppError('mac.damaged', 'the plan of a change does not fit the change');
}
