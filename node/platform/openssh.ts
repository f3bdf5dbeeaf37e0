import type { Client } from 'ssh2';

/** Key exchange methods that a key of type `ssh-rsa` is offered under (RFC 8332 section 3). */
const RSA = ['rsa-sha2-512', 'rsa-sha2-256'];

/** Algorithms of each kind of host key, in the order in which they are asked for. */
export const HOST_KEY_FAMILIES: readonly (readonly string[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  RSA,
];

/**
 * Host key algorithms, those of the types of known keys (`ssh-ed25519`, `ssh-rsa`) first: a server has several keys
 * and shows the one that is asked for. The others follow so that a server with other keys can be told from one that is
 * not reached.
 */
export function hostKeyAlgorithms(knownTypes: readonly string[]): string[] {
  const all = HOST_KEY_FAMILIES.flat();
  const wanted = knownTypes.flatMap((type) => (type === 'ssh-rsa' ? RSA : [type]));
  return [...new Set([...wanted.filter((algorithm) => all.includes(algorithm)), ...all])];
}

/** The type that a host key says it is of, as it stands in front of it in known_hosts. */
export function hostKeyType(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0; // RFC 4253 section 6.6: a string, the type, comes first
  const type = key.subarray(4, 4 + Math.min(length, 64)).toString('latin1');
  return /^[\w@.-]+$/.test(type) ? type : 'unknown';
}

export type Done<T> = (error: Error | null | undefined, value: T) => void;

/**
 * An answer to a request, or the end of the connection, whichever comes first: ssh2 forgets what it was asked when
 * that ends.
 * @throws what ssh2 says, `lost()` where the connection ends, and the signal's reason
 */
export async function askSsh<T>(
  client: Client,
  signal: AbortSignal | null,
  lost: () => Error,
  request: (done: Done<T>) => unknown,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const closed = (): void => reject(lost());
  const aborted = (): void => reject(signal?.reason as Error);
  client.once('close', closed);
  signal?.addEventListener('abort', aborted, { once: true });
  try {
    request((error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
    return await promise;
  } finally {
    client.removeListener('close', closed);
    signal?.removeEventListener('abort', aborted);
  }
}

/** A request that not every server knows, for {@link askSsh}: `absent()` where it is not offered, of which ssh2 tells by throwing. */
export function whereOffered(absent: () => void, request: (done: Done<unknown>) => unknown) {
  return (done: Done<unknown>): void => {
    try {
      request(done);
    } catch {
      absent();
      done(null, undefined);
    }
  };
}
