import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Server } from './inventory.ts';

/** What ssh2 adds to an error of a connection. */
interface SshError extends Error {
  readonly level?: string;
  /** Of a socket a text (`ECONNREFUSED`), of SFTP a number. */
  readonly code?: string | number;
}

/** Answers of SFTP, draft-ietf-secsh-filexfer-02 section 7. */
export const SFTP_EOF = 1;
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
/** OpenSSH says it of all that has no answer of its own: a name that is taken, a disk that is full. */
export const SFTP_FAILURE = 4;
const NO_CONNECTION = 6;
const CONNECTION_LOST = 7;

/** How a server is named in messages. */
export function addressOf({ id, host, port }: Pick<Server, 'id' | 'host' | 'port'>): string {
  return `${id} (${host.includes(':') ? `[${host}]` : host}:${port})`;
}

export function lostConnection(server: Server): AppError {
  return new AppError('server.unreachable', `${addressOf(server)}: the connection was lost`, {
    retriable: true,
  });
}

/** An error of ssh2 or of the socket, while a session is opened or is in use. */
export function asConnectionError(error: unknown, server: Server): AppError {
  if (error instanceof AppError) return error;
  const { level = '', code } = (error instanceof Error ? error : {}) as Partial<SshError>;
  const said = `${addressOf(server)}: ${messageOf(error)}`;
  const failed = (name: string, text = said): AppError =>
    new AppError(name, text, { retriable: true, cause: error });
  if (level === 'client-authentication') {
    return failed(
      'server.login',
      `${said}; is the line that node-ctl server key prints in authorized_keys there?`,
    );
  }
  if (level === 'client-timeout' || code === 'ETIMEDOUT') return failed('server.timeout');
  return failed('server.unreachable', typeof code === 'string' ? `${said} (${codeOf(error)})` : said);
}

/** An answer of SFTP about a path. */
export function asFileError(error: unknown, server: Server, path: string): AppError {
  if (error instanceof AppError) return error;
  const code = sftpCode(error);
  if (code === null || code === NO_CONNECTION || code === CONNECTION_LOST) return lostConnection(server);
  return fileError(FILE_CODES.get(code) ?? 'server.file', server, path, messageOf(error), error);
}

const FILE_CODES: ReadonlyMap<number, string> = new Map([
  [NO_SUCH_FILE, 'server.no-file'],
  [PERMISSION_DENIED, 'server.denied'],
]);

/** Of them only a full disk mends itself, as people say. */
export function fileError(
  code: string,
  server: Server,
  path: string,
  what: string,
  cause?: unknown,
): AppError {
  return new AppError(code, `${addressOf(server)}: ${path}: ${what}`, {
    retriable: code === 'server.disk-full',
    cause,
  });
}

/** The number of an answer of SFTP; null for what is none. */
export function sftpCode(error: unknown): number | null {
  const { code } = (error instanceof Error ? error : {}) as Partial<SshError>;
  return typeof code === 'number' ? code : null;
}
