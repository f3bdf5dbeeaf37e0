import { posix } from 'node:path';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Server } from './inventory.ts';
import type { MacReport } from './mac-phones.ts';
import { isRecordFile } from './mac-plan.ts';
import type { RemoteSession } from './remote.ts';

const NOTIFY_TIMEOUT_MS = 30_000;
const MAX_OUTPUT_SHOWN = 300;

/** Tells whoever is to know; a failure is a warning, since all files have it. @throws AppError of a lost session */
export async function notify(
  session: RemoteSession,
  { notify: argv }: Server,
): Promise<MacReport['warnings']> {
  if (argv === null || argv.length === 0) return [];
  try {
    const { code, stderr, stdout } = await session.run(argv, { timeoutMs: NOTIFY_TIMEOUT_MS });
    if (code === 0) return [];
    const said = (stderr.trim() === '' ? stdout : stderr).trim().slice(0, MAX_OUTPUT_SHOWN);
    return [{ code: 'notify-failed', message: `${argv[0]} ended with ${code ?? 'a signal'}: ${said}` }];
  } catch (error) {
    // A server that runs no program for us (a forced command) says so; a lost session is for whoever settles it.
    const code = codeOf(error);
    if (!code.startsWith('server.') || code === 'server.unreachable') throw error;
    return [{ code: 'notify-failed', message: messageOf(error) }];
  }
}

/** @throws AppError `mac.not-declared`, `mac.backup-served` */
export function checkDeclared({ id, macFiles, macBackupDir }: Server): void {
  if (!macFiles.some(isRecordFile)) {
    throw new AppError('mac.not-declared', `${id} declares no file that tells which phone an extension has`);
  }
  const served = macFiles.map(({ path }) => posix.dirname(path));
  const inside = served.find((directory) =>
    `${posix.normalize(macBackupDir)}/`.startsWith(`${posix.normalize(directory)}/`),
  );
  if (inside === undefined) return;
  throw new AppError(
    'mac.backup-served',
    `backups in ${macBackupDir} would lie where ${inside} is given out`,
  );
}
