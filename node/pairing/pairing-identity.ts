import { createPublicKey, X509Certificate } from 'node:crypto';
import { type Identity, identitySchema } from '../../protocol/messages.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { tokenJwk } from './own-certificate.ts';
import { canonicalPublicKey } from '../platform/openssh-keys.ts';

/** As useradd(8) of Debian lets them be. */
const USER_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/;

/**
 * What the other side says of itself, checked beyond its form: certificates that are such, keys by their own ids, SSH
 * keys in their one spelling (they go into files of sshd), a directory that is one.
 * @throws AppError `pair.identity` with the reason, which is for this side's log alone
 */
export async function checkIdentity(identity: Identity): Promise<Identity> {
  const wrong = (what: string): AppError => new AppError('pair.identity', what);
  const parsed = identitySchema.safeParse(identity);
  if (!parsed.success) throw wrong('the identity is not of the form it should have');
  const { certificates, tokenKeys, sshHostKeys, sshUserKey, sshUser, queueDir } = parsed.data;
  try {
    for (const key of tokenKeys) {
      const { kid } = await tokenJwk(createPublicKey({ key: { ...key }, format: 'jwk' }));
      if (kid !== key.kid) throw wrong('a token key has not the id that it should have');
    }
    const userKey = await canonicalPublicKey(sshUserKey);
    if (userKey === null) throw wrong('the SSH user key is none');
    const hostKeys = await Promise.all(sshHostKeys.map(canonicalPublicKey));
    if (hostKeys.includes(null)) throw wrong('an SSH host key is none');
    if (!USER_NAME.test(sshUser)) throw wrong('the SSH user has no name of a user');
    // eslint-disable-next-line no-control-regex
    if (!/^\/[^\u0000-\u001F\u007F]*$/.test(queueDir)) throw wrong('the queue directory is no absolute path');
    return {
      ...parsed.data,
      certificates: certificates.map((pem) => new X509Certificate(pem).toString()),
      sshUserKey: userKey,
      sshHostKeys: hostKeys.filter((key) => key !== null),
    };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('pair.identity', `the identity holds something damaged: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
