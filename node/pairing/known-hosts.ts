import { isIPv6 } from 'node:net';

/** What `sshd` is looked up by. */
export interface SshAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 22;

/**
 * The last field of the lines that pairing wrote, here and in authorized_keys: they are replaced and removed as a whole,
 * all others stay as they are.
 */
export function lineMark(peerId: string): string {
  return `parelha:${peerId}`;
}

/** How a host is named in known_hosts: `host`, or `[host]:port` where the port is not 22 (sshd(8)). */
export function knownHostName({ host, port }: SshAddress): string {
  const name = host.toLowerCase();
  return port === DEFAULT_PORT ? name : `[${name}]:${port}`;
}

/**
 * The keys (`type base64`) that a file in the format of OpenSSH's known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT")
 * holds for a host. Only names in full match: hashed names, patterns and certificate authorities are passed over.
 * A key that stands behind `@revoked` is not among them, whatever names stand there (`*` as a rule, or a hash): a name
 * that is not understood must not let a key pass that somebody has revoked.
 */
export function hostKeysIn(text: string, address: SshAddress): { keys: string[]; revoked: string[] } {
  const wanted = new Set([knownHostName(address)]);
  // ssh-keyscan and people write IPv6 addresses with and without brackets.
  if (address.port === DEFAULT_PORT && isIPv6(address.host)) wanted.add(`[${address.host.toLowerCase()}]:22`);
  const keys: string[] = [];
  const revoked: string[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/[ \t]+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : null;
    const [names = '', type = '', base64 = ''] = fields;
    if (names.startsWith('#') || !/^[A-Za-z0-9@.-]+$/.test(type) || !/^[A-Za-z0-9+/]+=*$/.test(base64))
      continue;
    const key = `${type} ${base64}`;
    if (marker === '@revoked') revoked.push(key);
    else if (marker === null && names.split(',').some((name) => wanted.has(name.toLowerCase())))
      keys.push(key);
  }
  return { keys: keys.filter((key) => !revoked.includes(key)), revoked };
}

/** The file with what pairing wrote for a peer replaced by these keys; none of them removes it. */
export function withHostKeys(
  text: string,
  peerId: string,
  address: SshAddress,
  keys: readonly string[],
): string {
  const kept = text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trimEnd().endsWith(` ${lineMark(peerId)}`));
  const added = keys.map((key) => `${knownHostName(address)} ${key} ${lineMark(peerId)}`);
  return [...kept, ...added].map((line) => `${line}\n`).join('');
}
