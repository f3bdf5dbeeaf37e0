import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAuthorizedKeys } from '../../../node/pairing/authorized-keys.ts';
import { type Keyring, openKeyring } from '../../../node/pairing/keyring.ts';
import { createPairing, type Pairing } from '../../../node/pairing/pairing.ts';
import { parseInvitation } from '../../../node/pairing/invitation.ts';
import type { Peer } from '../../../node/peer/peer.ts';
import { createRpcClient } from '../../../node/peer/rpc-client.ts';
import { callJoin } from '../../../node/peer/rpc-join.ts';
import { startRpcServer } from '../../../node/peer/rpc-server.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { freePort, temporaryDirectory } from '../../support/process.ts';
import { rpcHandlers } from '../../support/rpc-pair.ts';
import { peerConfig } from './pairing-support.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';

/** A node with real keys, a real listener and a real client. */
interface LiveSide {
  readonly keyring: Keyring;
  readonly pairing: Pairing;
  readonly peer: Peer;
}

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let closing: AsyncDisposableStack;
let audio: LiveSide;
let audio2: LiveSide;

async function liveSide(nodeId: string, port: number, peerId: string, peerPort: number): Promise<LiveSide> {
  const root = join(directory.path, nodeId);
  const certsDir = join(root, 'certs');
  const url = `https://127.0.0.1:${peerPort}`;
  const peerOf = { ...peerConfig(peerId, certsDir), rpc: { url, listen: { host: '127.0.0.1', port } } };
  const shared = { nodeId, clock: systemClock, log: silentLog };
  const keyring = await openKeyring({ ...shared, directory: certsDir, peer: peerOf });
  const peer = createRpcClient({ nodeId, peerId, url, credentials: keyring, clock: systemClock });
  closing.defer(() => peer.close());
  const pairing = createPairing({
    ...{ ...shared, peer: peerOf, keyring, rpc: peer, queueDir: join(root, 'queue') },
    join: (target, fingerprint, params) => callJoin({ url: target, fingerprint, params }),
    authorizedKeys: createAuthorizedKeys(join(root, 'home')),
    ...{ sshUser: 'parelha', sshHostKeysDir: join(root, 'none'), hostName: nodeId },
    audit: createMemoryAudit(),
  });
  const server = await startRpcServer({
    ...{ ...shared, host: '127.0.0.1', port, credentials: keyring, ready: () => true },
    handlers: rpcHandlers({
      'pair.join': pairing.handleJoin,
      'leadership.get': () => Promise.resolve(view(nodeId)),
    }),
    invitationOpen: pairing.invitationOpen,
  });
  closing.defer(() => server.close());
  return { keyring, pairing, peer };
}

const view = (nodeId: string) => ({
  ...{ nodeId, protocol: 1, role: 'slave' as const, term: 1, since: '2026-03-02T12:00:00Z' },
  ...{ grant: null, first: false },
});

beforeEach(async () => {
  directory = await temporaryDirectory();
  closing = new AsyncDisposableStack();
  const [port, port2] = [await freePort(), await freePort()];
  audio = await liveSide('audio', port, 'audio2', port2);
  audio2 = await liveSide('audio2', port2, 'audio', port);
});
afterEach(async () => {
  await closing.disposeAsync();
  await directory[Symbol.asyncDispose]();
});

const pairUp = async (): Promise<void> => {
  const { line } = await audio2.pairing.invite({ url: null });
  await audio.pairing.accept(line);
};
/** The id of the node that answers, or the code of the failure. */
const asks = ({ peer }: LiveSide): Promise<string> =>
  peer.call('leadership.get', {}).then(({ nodeId }) => nodeId, codeOf);

describe('over the real transport', () => {
  test('two nodes are strangers, then joined, and strangers again when one forgets the other', async () => {
    expect(await asks(audio)).toBe('peer.not-paired');
    await pairUp();
    expect([await asks(audio), await asks(audio2)]).toEqual(['audio2', 'audio']);
    await audio2.pairing.remove();
    expect(await asks(audio2)).toBe('peer.not-paired');
    expect(await asks(audio)).toBe('rpc.unauthenticated');
  });

  test('a line that was used, or an inviter without an invitation, joins nobody', async () => {
    const { line } = await audio2.pairing.invite({ url: null });
    await audio.pairing.accept(line);
    await audio.pairing.remove();
    await expect(audio.pairing.accept(line)).rejects.toMatchObject({ code: 'pair.refused' });
  });

  test('the secret is not sent to a listener with another certificate', async () => {
    const { line } = await audio2.pairing.invite({ url: null });
    const { fingerprint, url } = parseInvitation(line);
    const wrong = fingerprint.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    const joining = callJoin({ url, fingerprint: wrong, params: { secret: 's', identity: {} as never } });
    await expect(joining).rejects.toMatchObject({ code: 'peer.wrong-certificate' });
    expect((await audio2.pairing.status()).invitation?.triesLeft).toBe(5);
  });

  test('keys change on both sides while calls go on, and none of these fails', async () => {
    await pairUp();
    const before = [audio, audio2].map(({ keyring }) => keyring.own().fingerprint);
    const answers = new Map<string, number>();
    const stop = new AbortController();
    const callOn = async (side: LiveSide): Promise<void> => {
      while (!stop.signal.aborted) {
        const answer = await asks(side);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    };
    const calling = Promise.all([callOn(audio), callOn(audio2)]);
    for (const side of [audio, audio2, audio]) {
      expect(await side.pairing.rotate()).toMatchObject({ state: 'done' });
      expect([await asks(audio), await asks(audio2)]).toEqual(['audio2', 'audio']);
    }
    stop.abort();
    await calling;
    expect([...answers.keys()].toSorted()).toEqual(['audio', 'audio2']);
    const after = [audio, audio2].map(({ keyring }) => keyring.own().fingerprint);
    expect(after.some((fingerprint) => before.includes(fingerprint))).toBe(false);
    for (const { keyring } of [audio, audio2]) expect(keyring.peer()?.certificates).toHaveLength(1);
  });
});
