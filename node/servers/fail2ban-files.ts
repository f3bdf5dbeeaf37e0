import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { AppError, codeOf } from '../platform/errors.ts';
import {
  FIRST_NAME,
  FIRST_TEXT,
  type IgnoreEntry,
  LAST_NAME,
  MAX_ENTRIES,
  MAX_IGNORE_FILE_BYTES,
  parseEntries,
  printIgnoreFile,
  settingsOf,
} from './ignore-file.ts';
import type { Server } from './inventory.ts';
import type { Ran, RemoteFiles, RemoteSession } from './remote.ts';

/** Times that a file may be changed by somebody else just before ours takes its place. */
const MAX_TRIES = 3;
const MODE = 0o644;
const MAX_SAID = 300;

/** Where the ignore files are written without the helper, and what is asked for it. */
export interface IgnoreFileTools {
  readonly session: RemoteSession;
  readonly server: Server;
  readonly client: (...words: readonly string[]) => Promise<Ran>;
  /** Which get a section. */
  readonly jails: readonly string[];
}

/** The entries of ours on a server. @throws AppError as `RemoteFiles.read` */
export async function readIgnoreFile(session: RemoteSession, server: Server): Promise<IgnoreEntry[]> {
  const files = await session.files();
  return parseEntries((await read(files, pathOf(server, LAST_NAME))) ?? '');
}

/**
 * Changes the entries, and reloads fail2ban where that changes what it goes by. Files with which it would not start are
 * taken back. Two nodes are kept apart by reading once more right before and after; the helper has a lock instead.
 * @throws AppError `fail2ban.not-kept`, `fail2ban.full`, `fail2ban.reload`, and as `RemoteFiles`
 */
export async function updateIgnoreFile(
  tools: IgnoreFileTools,
  change: (entries: readonly IgnoreEntry[]) => readonly IgnoreEntry[],
): Promise<'changed' | 'same'> {
  const files = await tools.session.files();
  const path = pathOf(tools.server, LAST_NAME);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const old = await read(files, path);
    const entries = change(parseEntries(old ?? ''));
    if (entries.length > MAX_ENTRIES) {
      throw new AppError('fail2ban.full', `the ignore file has ${MAX_ENTRIES} entries`);
    }
    const text = entries.length === 0 ? null : printIgnoreFile(entries, tools.jails);
    if (text !== old) {
      if (!(await swap(files, tools.server, old, text))) continue;
      if ((await read(files, path)) !== text) continue;
    }
    const isSame = settingsOf(old ?? '') === settingsOf(text ?? '');
    // Also where nothing changed: an attempt that broke off may have left the file without its proof.
    if (text !== null) await proveOrTakeBack(tools, files, isSame ? null : old);
    if (isSame) return 'same';
    const reloaded = await tools.client('reload');
    if (reloaded.code !== 0) throw new AppError('fail2ban.reload', reloaded.stderr.trim().slice(-MAX_SAID));
    return 'changed';
  }
  throw new AppError('fail2ban.not-kept', `${path} is being changed by somebody else`);
}

/** Puts the new text in the place of the old one; false where the old one is not there any more. */
async function swap(
  files: RemoteFiles,
  server: Server,
  old: string | null,
  text: string | null,
): Promise<boolean> {
  const path = pathOf(server, LAST_NAME);
  const first = pathOf(server, FIRST_NAME);
  // The first file stands for itself; the last one would keep fail2ban from starting without it.
  if (text !== null && (await read(files, first)) !== FIRST_TEXT) await put(files, first, FIRST_TEXT);
  if ((await read(files, path)) !== old) return false;
  if (text === null) {
    await files.remove(path);
    await files.remove(first);
  } else {
    await put(files, path, text);
  }
  return true;
}

/** Beside it, under a name that fail2ban does not read, then in one step. */
async function put(files: RemoteFiles, path: string, text: string): Promise<void> {
  const temporary = posix.join(
    posix.dirname(path),
    `.${posix.basename(path)}.${randomBytes(8).toString('hex')}`,
  );
  try {
    await files.create(temporary, Buffer.from(text), { mode: MODE });
    await files.replace(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined); // what went wrong first is what is told
    throw error;
  }
}

async function proveOrTakeBack(
  { client, server }: IgnoreFileTools,
  files: RemoteFiles,
  old: string | null,
): Promise<void> {
  const proof = await client('-t');
  if (proof.code === 0) return;
  if (old !== null) {
    await put(files, pathOf(server, LAST_NAME), old);
    if ((await client('-t')).code === 0) throw notKept(proof);
  }
  // Rather an address banned again than a server without fail2ban after its next start.
  await files.remove(pathOf(server, LAST_NAME));
  await files.remove(pathOf(server, FIRST_NAME));
  throw notKept(proof);
}

function notKept({ stderr, stdout }: Ran): AppError {
  const said = `${stdout} ${stderr}`.trim().replaceAll(/\s+/g, ' ').slice(-MAX_SAID);
  return new AppError('fail2ban.not-kept', `fail2ban would not start with the ignore file: ${said}`);
}

async function read(files: RemoteFiles, path: string): Promise<string | null> {
  try {
    return (await files.read(path, MAX_IGNORE_FILE_BYTES)).toString();
  } catch (error) {
    if (codeOf(error) === 'server.no-file') return null;
    throw error;
  }
}

function pathOf({ fail2ban }: Server, name: string): string {
  return posix.join(fail2ban.jailDirectory, name);
}
