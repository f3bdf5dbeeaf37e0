import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { makeSshKey, publicKeyOf } from '../platform/openssh-keys.ts';
import type { Server } from './inventory.ts';

const MAX_KEY_BYTES = 65_536;
const FOR_OTHERS = 0o077;

/** Who this node logs in as, and with what. */
export interface ServerKeys {
  /** @throws AppError `server.key` */
  loginOf(
    server: Pick<Server, 'id' | 'user' | 'keyFile'>,
  ): Promise<{ readonly user: string; readonly privateKey: string }>;
  /** The public half of SERVERS_KEY as a line of authorized_keys, with the node's name behind it. @throws AppError `server.key` */
  publicLine(): Promise<string>;
  /** Where SERVERS_KEY lies. */
  readonly keyFile: string;
}

export interface ServerKeysOptions {
  readonly nodeId: string;
  /** SERVERS_USER. */
  readonly user: string;
  /** SERVERS_KEY; made, for its user alone, when it is first needed. */
  readonly keyFile: string;
  /** SERVERS_FILE, beside which the key files of single servers are looked for; null where there is none. */
  readonly serversFile: string | null;
}

export function createServerKeys({ nodeId, user, keyFile, serversFile }: ServerKeysOptions): ServerKeys {
  const oneByOne = createKeyedMutex();
  const comment = `parelha:${nodeId}`;
  /** Read each time: an operator may put another in its place. */
  const ownKey = (): Promise<string> => oneByOne(keyFile, () => loadOrMake(keyFile, comment));

  return {
    keyFile,
    loginOf: async (server) => {
      const named = server.keyFile === null ? null : resolve(dirname(serversFile ?? '/'), server.keyFile);
      const privateKey = named === null || named === keyFile ? await ownKey() : await load(named);
      return { user: server.user ?? user, privateKey };
    },
    publicLine: async () => `${await publicHalf(keyFile, await ownKey())} ${comment}`,
  };
}

async function loadOrMake(path: string, comment: string): Promise<string> {
  try {
    await stat(path);
  } catch (error) {
    if (!isMissing(error)) throw unusable(path, error);
    try {
      const key = await makeSshKey(comment);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeDurable(path, key);
    } catch (failed) {
      throw unusable(path, failed);
    }
  }
  return load(path);
}

/** A key that ssh would take: one that only its owner can read, and without a passphrase. */
async function load(path: string): Promise<string> {
  let key: string;
  try {
    const { mode } = await stat(path);
    if ((mode & FOR_OTHERS) !== 0) throw new Error(`others can read it; run: chmod 600 ${path}`);
    key = (await readBounded(path, MAX_KEY_BYTES)).toString('utf8');
  } catch (error) {
    throw unusable(path, error);
  }
  await publicHalf(path, key);
  return key;
}

function publicHalf(path: string, key: string): Promise<string> {
  return publicKeyOf(key).catch((error: unknown) => {
    throw unusable(path, error);
  });
}

function unusable(path: string, error: unknown): AppError {
  return new AppError('server.key', `the key ${path} cannot be used: ${messageOf(error)}`, { cause: error });
}
