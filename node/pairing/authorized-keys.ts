import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { lineMark } from './known-hosts.ts';

const MAX_FILE_BYTES = 1_048_576;

/**
 * What the peer's key may ask of the SFTP server (names as `sftp-server -Q requests` has them): to put a file under a
 * temporary name, sync it and rename it, or to remove it. Not to read, to list, to look whether something is there,
 * to make directories or links. What is not named here is not even announced.
 */
const ALLOWED_REQUESTS = ['open', 'close', 'write', 'fsync', 'posix-rename', 'remove'] as const;

/** sshd takes a forced command apart at blanks, whatever quotes stand around them. */
// eslint-disable-next-line no-control-regex
const SAFE_DIRECTORY = /^\/[^\s"'\\\u0000-\u001F\u007F]*$/;

/** Whether the managed line stands in the file as it should be. */
export type LineState = 'installed' | 'missing' | 'different';

/** The one line in the authorized_keys of the daemon's user that lets the peer drop files. */
export interface AuthorizedKeys {
  readonly path: string;
  /** Writes or replaces the line; all others stay. @throws AppError `pair.authorized-keys` */
  install(peerId: string, userKey: string, directory: string): Promise<void>;
  /** Removes it; no error where there is none. @throws AppError `pair.authorized-keys` */
  remove(peerId: string): Promise<void>;
  /** @throws AppError `pair.authorized-keys` where the file cannot be read */
  state(peerId: string, userKey: string, directory: string): Promise<LineState>;
}

/**
 * The line: an SFTP server alone, which starts in `directory` and does {@link ALLOWED_REQUESTS}; no shell, no
 * forwarding, no terminal (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). The requests stand before the directory, so that
 * no directory can hide them. @throws AppError `pair.authorized-keys` for a directory that sshd could not be given
 */
export function authorizedKeysLine(peerId: string, userKey: string, directory: string): string {
  if (!SAFE_DIRECTORY.test(directory)) {
    throw new AppError(
      'pair.authorized-keys',
      'QUEUE_DIR has a blank, a quote or a backslash in it: sshd cannot be told such a directory',
    );
  }
  // `%` begins a token of sftp-server(8).
  const command = `internal-sftp -p ${ALLOWED_REQUESTS.join(',')} -d ${directory.replaceAll('%', '%%')}`;
  return `restrict,command="${command}" ${userKey} ${lineMark(peerId)}`;
}

/** Over `<home>/.ssh/authorized_keys`. */
export function createAuthorizedKeys(home: string): AuthorizedKeys {
  const path = join(home, '.ssh', 'authorized_keys');
  const inTurn = createKeyedMutex();

  const edit = (change: (lines: string[]) => string[]): Promise<void> =>
    inTurn(path, () =>
      describe(path, async () => {
        const { target, text } = await read(path);
        const lines = text.split('\n');
        if (lines.at(-1) === '') lines.pop();
        const changed = change(lines).map((line) => `${line}\n`);
        if (changed.join('') === text) return;
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await writeDurable(target, Buffer.from(changed.join(''), 'latin1'), 0o600);
      }),
    );

  return {
    path,
    install: async (peerId, userKey, directory) => {
      const line = asBytes(authorizedKeysLine(peerId, userKey, directory));
      await edit((lines) => {
        const place = lines.findIndex((one) => isOf(one, peerId));
        const others = lines.filter((one) => !isOf(one, peerId));
        return place < 0 ? [...others, line] : others.toSpliced(place, 0, line);
      });
    },
    remove: (peerId) => edit((lines) => lines.filter((line) => !isOf(line, peerId))),
    state: (peerId, userKey, directory) =>
      describe(path, async () => {
        const found = (await read(path)).text.split('\n').filter((line) => isOf(line, peerId));
        if (found.length === 0) return 'missing';
        const wanted = asBytes(authorizedKeysLine(peerId, userKey, directory));
        return found.length === 1 && found[0] === wanted ? 'installed' : 'different';
      }),
  };
}

function isOf(line: string, peerId: string): boolean {
  return !line.trimStart().startsWith('#') && line.trimEnd().endsWith(` ${lineMark(peerId)}`);
}

/** The file's bytes one by one, so that what others wrote stays as it is, whatever its encoding; links are followed. */
async function read(path: string): Promise<{ target: string; text: string }> {
  try {
    const target = await realpath(path);
    return { target, text: (await readBounded(target, MAX_FILE_BYTES)).toString('latin1') };
  } catch (error) {
    if (isMissing(error)) return { target: path, text: '' };
    throw error;
  }
}

function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

async function describe<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && error.code.startsWith('pair.')) throw error;
    throw new AppError('pair.authorized-keys', `${path}: ${messageOf(error)}`, { cause: error });
  }
}
