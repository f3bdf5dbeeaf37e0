import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Identity, identitySchema, nodeIdSchema } from '../../protocol/messages.ts';
import type { PeerTrust } from '../peer/credentials.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, removeDurable, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { hostKeysIn, type SshAddress, withHostKeys } from './known-hosts.ts';

const MAX_RECORD_BYTES = 262_144;
const PEER_FILE = 'peer.json';
const KNOWN_HOSTS_FILE = 'known_hosts';
/** An old certificate and key of the peer are accepted beside the new ones for so long at most. */
export const OLD_ACCEPTED_HOURS = 24;

const instant = z.iso.datetime({ offset: true });

/** `peer.json`: what this node trusts of its peer. */
const peerRecordSchema = z.strictObject({
  version: z.literal(1),
  id: nodeIdSchema,
  ...identitySchema.pick({
    certificates: true,
    tokenKeys: true,
    sshHostKeys: true,
    sshUserKey: true,
    sshUser: true,
    queueDir: true,
  }).shape,
  pairedAt: instant,
  /** When the peer last told its certificates and keys anew; null where it never has. */
  renewedAt: instant.nullable(),
  /** Since when two certificates or keys are accepted; null while there is one of each. */
  twoSince: instant.nullable(),
});
export type PeerRecord = z.infer<typeof peerRecordSchema>;

/** What is trusted of the peer, on disk. */
export interface TrustStore {
  /** Null where nobody is trusted. */
  record(): PeerRecord | null;
  /** What of it counts now; null where nobody is trusted. */
  trusted(): PeerTrust | null;
  /**
   * Trusts a peer as it says it is, in place of what was trusted before; on disk when it resolves. `how` tells whether
   * people paired the two, or the peer renewed what it is known by.
   */
  trust(identity: Identity, address: SshAddress, how: 'paired' | 'renewed'): Promise<void>;
  /** Ends the acceptance of old certificates and keys whose time is over; tells whether there were any. */
  retireOld(): Promise<boolean>;
  /** Trusts nobody. */
  forget(address: SshAddress): Promise<void>;
  /** Keys of known_hosts for an address, as the file is now. */
  knownHostKeys(address: SshAddress): { keys: string[]; revoked: string[] };
}

/** @throws AppError `pair.damaged` where peer.json is not what was written there */
export async function openTrustStore(directory: string, clock: Clock): Promise<TrustStore> {
  const peerFile = join(directory, PEER_FILE);
  const knownHosts = join(directory, KNOWN_HOSTS_FILE);
  const inTurn = createKeyedMutex();
  let record = await readRecord(peerFile);
  let trust = record === null ? null : trustOf(record);

  const write = async (next: PeerRecord): Promise<void> => {
    await writeDurable(peerFile, `${JSON.stringify(next, null, 2)}\n`);
    record = next;
    trust = trustOf(next);
  };
  const writeHostKeys = async (id: string, address: SshAddress, keys: readonly string[]): Promise<void> => {
    const before = await readFile(knownHosts, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return '';
      throw error;
    });
    const after = withHostKeys(before, id, address, keys);
    if (after !== before) await writeDurable(knownHosts, after);
  };
  const isOver = ({ twoSince }: PeerRecord): boolean =>
    twoSince !== null &&
    Temporal.Instant.compare(
      clock.now(),
      Temporal.Instant.from(twoSince).add({ hours: OLD_ACCEPTED_HOURS }),
    ) >= 0;

  return {
    record: () => record,
    trusted: () => {
      if (record !== null && isOver(record)) return trustOf(withoutOld(record));
      return trust;
    },
    trust: (identity, address, how) =>
      inTurn(directory, async () => {
        const now = clock.now().toString({ smallestUnit: 'millisecond' });
        const before = how === 'renewed' ? record : null;
        const { certificates, tokenKeys, sshHostKeys, sshUserKey, sshUser, queueDir } = identity;
        const two = certificates.length > 1 || tokenKeys.length > 1;
        const isRepeated = before?.certificates[0] === certificates[0];
        if (record !== null && record.id !== identity.nodeId) await writeHostKeys(record.id, address, []);
        await writeHostKeys(identity.nodeId, address, sshHostKeys);
        await write({
          version: 1,
          id: identity.nodeId,
          ...{ certificates, tokenKeys, sshHostKeys, sshUserKey, sshUser, queueDir },
          pairedAt: before?.pairedAt ?? now,
          renewedAt: before === null ? null : now,
          twoSince: two ? ((isRepeated ? before?.twoSince : null) ?? now) : null,
        });
      }),
    retireOld: () =>
      inTurn(directory, async () => {
        if (record === null || !isOver(record)) return false;
        await write(withoutOld(record));
        return true;
      }),
    forget: (address) =>
      inTurn(directory, async () => {
        if (record !== null) await writeHostKeys(record.id, address, []);
        await removeDurable(peerFile); // last, so that what a crash leaves is still known as paired
        record = null;
        trust = null;
      }),
    knownHostKeys: (address) => {
      try {
        return hostKeysIn(readFileSync(knownHosts, 'utf8'), address);
      } catch (error) {
        if (isMissing(error)) return { keys: [], revoked: [] };
        throw new AppError('pair.damaged', `${knownHosts} cannot be read: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },
  };
}

function withoutOld(record: PeerRecord): PeerRecord {
  const { certificates, tokenKeys } = record;
  return {
    ...record,
    certificates: certificates.slice(0, 1),
    tokenKeys: tokenKeys.slice(0, 1),
    twoSince: null,
  };
}

function trustOf({ id, certificates, tokenKeys, sshHostKeys, sshUser, queueDir }: PeerRecord): PeerTrust {
  const keys = tokenKeys.map(
    ({ kid, ...key }) => [kid, createPublicKey({ key: { ...key }, format: 'jwk' })] as const,
  );
  return { peerId: id, certificates, tokenKeys: new Map(keys), sshHostKeys, sshUser, queueDir };
}

async function readRecord(path: string): Promise<PeerRecord | null> {
  try {
    const record = peerRecordSchema.parse(JSON.parse((await readBounded(path, MAX_RECORD_BYTES)).toString()));
    trustOf(record);
    return record;
  } catch (error) {
    if (isMissing(error)) return null;
    throw new AppError(
      'pair.damaged',
      `${path} is damaged: put it back from a copy, or move it away and pair again (${messageOf(error)})`,
      { cause: error },
    );
  }
}
