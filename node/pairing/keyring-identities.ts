import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { moveDurable, removeDurable, writeDurable } from '../platform/durable.ts';
import { readPrivate } from './keyring-files.ts';
import { makeIdentity, type OwnIdentity, readIdentity, type TokenJwk, tokenJwk } from './own-certificate.ts';

const IDENTITY_FILE = 'node.pem';
/** Made by a rotation, and not in use before the peer accepts it. */
const NEXT_FILE = 'node.next.pem';
/** Replaced by a rotation, and kept until the peer has forgotten it. */
const OLD_FILE = 'node.old.pem';

/** What this node is known by: one identity, and during a rotation a second one. */
export interface Identities {
  own(): OwnIdentity;
  /** What a rotation has made and the peer has not acknowledged; null where none is under way. */
  next(): OwnIdentity | null;
  /** Whether the peer may still accept what a rotation has replaced. */
  hasOld(): boolean;
  /** What of its own this node tells the peer, the newest first. */
  offered(): Promise<{ certificates: string[]; tokenKeys: TokenJwk[] }>;
  /** Puts what a rotation needs on disk; what is there already stays. */
  makeNext(): Promise<void>;
  /** Uses what a rotation has made: by one rename, after the old one has been put aside. */
  takeNext(): Promise<void>;
  dropNext(): Promise<void>;
  dropOld(): Promise<void>;
  /** Shows what a rotation has made without taking it: for a peer that may have done so already. Null ends it. */
  present(identity: OwnIdentity | null): void;
}

export interface IdentitiesOptions {
  readonly directory: string;
  readonly nodeId: string;
  readonly clock: Clock;
  /** Called with the file's path before a first identity is made; throws where there must be none. */
  readonly beforeFirst: (path: string) => void;
  readonly onChange: () => void;
}

/** Opens what is there, and makes a first identity. @throws AppError `key.unusable` */
export async function openIdentities(options: IdentitiesOptions): Promise<Identities> {
  const { directory, nodeId, clock, onChange } = options;
  const path = (name: string): string => join(directory, name);
  const load = async (name: string): Promise<OwnIdentity | null> => {
    const text = await readPrivate(path(name));
    return text === null ? null : readIdentity(path(name), text);
  };
  const make = async (name: string): Promise<OwnIdentity> => {
    const text = await makeIdentity(nodeId, clock.now());
    await writeDurable(path(name), text);
    return readIdentity(path(name), text);
  };
  let current = await load(IDENTITY_FILE);
  if (current === null) {
    options.beforeFirst(path(IDENTITY_FILE));
    current = await make(IDENTITY_FILE);
  }
  let own = current;
  let next = await load(NEXT_FILE);
  let old = (await load(OLD_FILE)) !== null;
  let shown: OwnIdentity | null = null;

  return {
    own: () => shown ?? own,
    next: () => next,
    hasOld: () => old,
    offered: async () => {
      const identities = next === null ? [own] : [next, own];
      return {
        certificates: identities.map(({ certificate }) => certificate),
        tokenKeys: await Promise.all(identities.map(({ tokenKey }) => tokenJwk(tokenKey.privateKey))),
      };
    },
    makeNext: async () => {
      next ??= await make(NEXT_FILE);
    },
    takeNext: async () => {
      if (next === null) return;
      const replaced = await readPrivate(path(IDENTITY_FILE));
      if (replaced !== null) await writeDurable(path(OLD_FILE), replaced);
      await moveDurable(path(NEXT_FILE), path(IDENTITY_FILE));
      [own, next, old, shown] = [next, null, true, null];
      onChange();
    },
    dropNext: async () => {
      await removeDurable(path(NEXT_FILE));
      [next, shown] = [null, null];
    },
    dropOld: async () => {
      await removeDurable(path(OLD_FILE));
      old = false;
    },
    present: (identity) => {
      shown = identity;
      onChange();
    },
  };
}
