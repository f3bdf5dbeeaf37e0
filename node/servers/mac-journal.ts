import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import { type MacManifest, manifestSchema, sha256 } from './mac-manifest.ts';
import type { RemoteFiles } from './remote.ts';

/** Name of a change, and of the directory with its backup: when, of which extension, for which job, at which try. */
export const TRANSACTION = /^\d{8}T\d{6}Z-\d{3,8}-[0-9a-f]{12}-[0-9a-f]{8}$/;

const MANIFEST = 'manifest.json';
const MAX_MANIFEST_BYTES = 1_000_000;
const MAX_ENTRIES = 200;
const JOB_DIGITS = 12;
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * How far a change is: the name of an empty file, so that to go on needs no room on a full disk and is one step.
 * `prepared`: what is needed to finish it, and to take it back, is on the disk. `undoing`: it is being taken back. `changed`:
 * all files have it. `finished`: and whoever is to know has been told.
 */
const STATES = ['prepared', 'undoing', 'changed', 'finished'] as const;
export type MacState = (typeof STATES)[number];

/** A change that may be going on, in its directory. */
export interface MacJournal {
  readonly directory: string;
  readonly manifest: MacManifest;
}

export function transactionName(
  now: Temporal.Instant,
  extension: string,
  jobId: string,
  random: Buffer,
): string {
  const at = now.toString({ smallestUnit: 'second' }).replaceAll(/[-:]/g, '');
  return `${at}-${extension}-${jobPart(jobId)}-${random.toString('hex').slice(0, 8)}`;
}

/** Whether a change was made for a job, as far as its name tells. */
export function isOfJob(transaction: string, jobId: string): boolean {
  return TRANSACTION.test(transaction) && transaction.split('-').at(-2) === jobPart(jobId);
}

function jobPart(jobId: string): string {
  return /^[0-9a-f]{12}/.exec(jobId)?.[0] ?? sha256(Buffer.from(jobId)).slice(0, JOB_DIGITS);
}

/** Puts the backups and the plan of a change on the server's disk; from then on it can be settled by anybody. */
export async function writeJournal(
  files: RemoteFiles,
  { directory, manifest }: MacJournal,
  backups: ReadonlyMap<string, Buffer>,
): Promise<void> {
  await files.makeDirectory(directory, PRIVATE_DIRECTORY);
  for (const [path, content] of backups) await files.create(path, content, { mode: PRIVATE_FILE });
  const text = JSON.stringify(manifest, null, 1);
  await files.create(`${directory}/${MANIFEST}`, Buffer.from(text), { mode: PRIVATE_FILE });
  await files.create(`${directory}/state.prepared`, Buffer.alloc(0), { mode: PRIVATE_FILE });
}

/** What lies in the directory of a change; a null state where nothing of it can have been begun. */
export async function readJournal(
  files: RemoteFiles,
  directory: string,
): Promise<{ readonly state: MacState; readonly journal: MacJournal } | null> {
  let names: readonly string[];
  try {
    names = await files.list(directory, MAX_ENTRIES);
  } catch (error) {
    if (codeOf(error) === 'server.no-file') return null;
    throw error;
  }
  const state = STATES.find((known) => names.includes(`state.${known}`));
  if (state === undefined || !names.includes(MANIFEST)) return null;
  const content = await files.read(`${directory}/${MANIFEST}`, MAX_MANIFEST_BYTES);
  return { state, journal: { directory, manifest: parseManifest(content, directory) } };
}

function parseManifest(content: Buffer, directory: string): MacManifest {
  try {
    return manifestSchema.parse(JSON.parse(content.toString()));
  } catch (error) {
    throw new AppError('mac.damaged', `${directory}/${MANIFEST} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Goes from one state to the next, in one step. */
export async function advance(
  files: RemoteFiles,
  { directory }: MacJournal,
  from: MacState,
  to: MacState,
): Promise<void> {
  await files.rename(`${directory}/state.${from}`, `${directory}/state.${to}`);
}

/** Removes the directory of a change of which nothing is left. Its plan goes last: without it there is nothing to do. */
export async function discardJournal(files: RemoteFiles, directory: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await files.list(directory, MAX_ENTRIES);
  } catch (error) {
    if (codeOf(error) === 'server.no-file') return;
    throw error;
  }
  const last = (name: string): boolean => name === MANIFEST || name.startsWith('state.');
  for (const name of [...names.filter((each) => !last(each)), ...names.filter(last)]) {
    await files.remove(`${directory}/${name}`);
  }
  await files.removeDirectory(directory);
}
