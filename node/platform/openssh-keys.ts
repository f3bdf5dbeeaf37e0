import { AppError } from './errors.ts';

/** ssh2 strips zero bytes off the front of one key in 256 (mscdex/ssh2#1513): such a pair is thrown away. */
const MAX_TRIES = 16;

/** ssh2, loaded where a key is first looked at. */
async function ssh2Utils() {
  return (await import('ssh2')).default.utils;
}

/** Makes an Ed25519 user key: the private half in OpenSSH's format, as ssh-keygen makes it. */
export async function makeSshKey(comment: string): Promise<string> {
  const utils = await ssh2Utils();
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const pair = utils.generateKeyPairSync('ed25519', { comment });
    const publicLine = pair.public.split(' ').slice(0, 2).join(' ');
    if ((await canonicalPublicKey(publicLine)) === null) continue;
    if ((await publicKeyOf(pair.private).catch(() => null)) === publicLine) return pair.private; // else it is one of those
  }
  throw new AppError('key.unusable', 'no usable SSH key could be made');
}

/** The public half of a private key, as `type base64`. @throws an error that says what is wrong with the key */
export async function publicKeyOf(privateKey: string): Promise<string> {
  const key = (await ssh2Utils()).parseKey(privateKey);
  if (key instanceof Error) throw key;
  if (!key.isPrivateKey()) throw new Error('it is no private key');
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}

/**
 * A public key (`type base64`, what follows is passed over) in its one spelling; null where it is none: what comes
 * from outside goes into files that sshd reads only so.
 */
export async function canonicalPublicKey(line: string): Promise<string | null> {
  const [type = '', base64 = ''] = line.trim().split(/[ \t]+/);
  const key = (await ssh2Utils()).parseKey(`${type} ${base64}`);
  if (key instanceof Error || key.isPrivateKey()) return null;
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}
