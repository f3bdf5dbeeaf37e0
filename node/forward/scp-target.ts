import { knownHostName, type SshAddress } from '../pairing/known-hosts.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import { hostKeyType } from '../platform/openssh.ts';

/** What ssh2 adds to an error of a connection. */
interface SshError extends Error {
  readonly level?: string;
  /** Of a socket a text (`ECONNREFUSED`), of SFTP a number (draft-ietf-secsh-filexfer-02 section 7). */
  readonly code?: string | number;
}

/** Whether a host key, as the server shows it, is one of those pinned: all its bytes, not a fingerprint. */
export function isPinned(key: Buffer, pinned: readonly string[]): boolean {
  return pinned.some((line) => Buffer.from(line.split(' ')[1] ?? '', 'base64').equals(key));
}

/** The line of known_hosts that would let this key pass. */
export function knownHostsLine(key: Buffer, address: SshAddress): string {
  return `${knownHostName(address)} ${hostKeyType(key)} ${key.toString('base64')}`;
}

/** An error of ssh2 or of the socket as one of a dropbox; all of them may pass. */
export function asDropError(error: unknown, { host, port }: SshAddress): AppError {
  if (error instanceof AppError) return error;
  const { level = '', code } = (error instanceof Error ? error : {}) as Partial<SshError>;
  const said = `${host}:${port}: ${messageOf(error)}`;
  const failed = (name: string, text = said): AppError =>
    new AppError(name, text, { retriable: true, cause: error });
  if (level === 'client-authentication')
    return failed('drop.login', `${said}; is this node’s key in authorized_keys there?`);
  if (level === 'client-timeout' || code === 'ETIMEDOUT') return failed('drop.timeout');
  // SFTP's own answers; 6 and 7 are a connection that is not there.
  if (typeof code === 'number' && level === '' && code !== 6 && code !== 7) return failed('drop.rejected');
  return failed('drop.unreachable', code === undefined ? said : `${said} (${codeOf(error)})`);
}
