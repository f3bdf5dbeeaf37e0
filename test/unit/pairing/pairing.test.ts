import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatInvitation, parseInvitation } from '../../../node/pairing/invitation.ts';
import type { AppError } from '../../../node/platform/errors.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { hears, pairUp, type Side, type TwoSides, twoSides } from './pairing-support.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let world: TwoSides;

beforeEach(async () => {
  directory = await temporaryDirectory();
  world = await twoSides(directory.path);
});
afterEach(() => directory[Symbol.asyncDispose]());

const authorizedKeys = (side: Side): Promise<string> =>
  readFile(join(side.home, '.ssh/authorized_keys'), 'utf8');
const open = { caller: null, signal: new AbortController().signal };

/** What audio says of itself in a join, with the secret of a line. */
async function joinParams(line: string) {
  const { audio } = world;
  const identity = {
    ...{ nodeId: 'audio', url: null, sshHostKeys: [], sshUser: 'parelha', queueDir: audio.queueDir },
    ...(await audio.keyring.offered()),
    sshUserKey: audio.keyring.sshUserKey,
  };
  return { secret: parseInvitation(line).secret, identity };
}

describe('an invitation that is accepted', () => {
  test('makes both nodes trust exactly what the other one shows', async () => {
    const { audio, audio2 } = world;
    const { line, url, fingerprint } = await audio2.pairing.invite({ url: null });
    expect(url).toBe('https://audio2.example.test:7443');
    expect(await audio.pairing.accept(line)).toEqual({ peerId: 'audio2', fingerprint, notes: [] });
    expect(audio.keyring.peer()).toMatchObject({
      peerId: 'audio2',
      certificates: [audio2.keyring.own().certificate],
      sshUser: 'parelha',
      queueDir: audio2.queueDir,
    });
    expect([...(audio2.keyring.peer()?.tokenKeys.keys() ?? [])]).toEqual([audio.keyring.own().tokenKey.kid]);
    expect(await hears(audio, world)).toBe(true);
    expect(await hears(audio2, world)).toBe(true);
  });

  test('stands after a restart of both', async () => {
    await pairUp(world);
    await world.audio.restart();
    await world.audio2.restart();
    expect(await hears(world.audio, world)).toBe(true);
    expect(await hears(world.audio2, world)).toBe(true);
  });

  test('lets each drop files at the other, and no more', async () => {
    const { audio, audio2 } = world;
    await pairUp(world);
    expect(await authorizedKeys(audio2)).toBe(
      'restrict,command="internal-sftp -p open,close,write,fsync,posix-rename,remove ' +
        `-d ${audio2.queueDir}/pending" ${audio.keyring.sshUserKey} parelha:audio\n`,
    );
    expect((await stat(join(audio2.home, '.ssh/authorized_keys'))).mode & 0o777).toBe(0o600);
    expect(await authorizedKeys(audio)).toContain(`${audio2.keyring.sshUserKey} parelha:audio2\n`);
  });

  test('is in the audit log of both, without its secret', async () => {
    const { audio, audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: null });
    await audio.pairing.accept(line);
    expect(audio2.audited.map(({ event }) => event)).toEqual(['pair.invited', 'pair.joined']);
    expect(audio.audited).toMatchObject([{ event: 'pair.joined', peer: 'audio2', by: 'accept' }]);
    const said = JSON.stringify([audio.audited, audio2.audited]);
    expect(said).not.toContain(parseInvitation(line).secret);
    expect(said).not.toContain(line);
  });

  test('is closed: the line joins nobody a second time', async () => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    await world.audio.pairing.accept(line);
    expect(world.audio2.pairing.invitationOpen()).toBe(false);
    await expect(world.audio.pairing.accept(line)).rejects.toMatchObject({ code: 'pair.refused' });
  });

  test('joins the two although authorized_keys cannot be written, and says so', async () => {
    const { audio, audio2 } = world;
    await mkdir(audio.home, { recursive: true });
    await writeFile(join(audio.home, '.ssh'), 'in the way');
    const { line } = await audio2.pairing.invite({ url: null });
    const { notes } = await audio.pairing.accept(line);
    expect(notes.join()).toContain('authorized_keys');
    expect(await hears(audio, world)).toBe(true);
    const { authorizedKeys: state, problems } = await audio.pairing.status();
    expect(state.state).toBe('unreadable');
    expect(problems.join()).toContain('authorized_keys');
  });
});

describe('an invitation closes', () => {
  const joinWith = async (line: string, secret = parseInvitation(line).secret) =>
    world.audio2.pairing.handleJoin({ ...(await joinParams(line)), secret }, open);

  test('after five tries with a wrong secret', async () => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    for (let tries = 0; tries < 4; tries += 1) {
      await expect(joinWith(line, 'f'.repeat(64))).rejects.toMatchObject({ code: 'pair.refused' });
    }
    expect((await world.audio2.pairing.status()).invitation?.triesLeft).toBe(1);
    await expect(joinWith(line, 'f'.repeat(64))).rejects.toMatchObject({ code: 'pair.refused' });
    expect(world.audio2.pairing.invitationOpen()).toBe(false);
    await expect(joinWith(line)).rejects.toMatchObject({ code: 'pair.refused' });
    expect(world.audio2.keyring.record()).toBeNull();
  });

  test('and is still good at the fifth', async () => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    for (let tries = 0; tries < 4; tries += 1) await expect(joinWith(line, '')).rejects.toThrow();
    await joinWith(line);
    expect(world.audio2.keyring.record()?.id).toBe('audio');
  });

  test('after ten minutes', async () => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    world.clock.advance({ minutes: 9, seconds: 59 });
    expect(world.audio2.pairing.invitationOpen()).toBe(true);
    world.clock.advance({ seconds: 1 });
    expect(world.audio2.pairing.invitationOpen()).toBe(false);
    await expect(joinWith(line)).rejects.toMatchObject({ code: 'pair.refused' });
  });

  test('by another one, and by a restart', async () => {
    const { audio2 } = world;
    const first = await audio2.pairing.invite({ url: null });
    const second = await audio2.pairing.invite({ url: null });
    await expect(joinWith(first.line)).rejects.toMatchObject({ code: 'pair.refused' });
    await audio2.restart();
    await expect(joinWith(second.line)).rejects.toMatchObject({ code: 'pair.refused' });
  });

  test('when it is used by two at once, for one of them', async () => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    const results = await Promise.allSettled([joinWith(line), joinWith(line), joinWith(line)]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('a stranger', () => {
  test('is told the same whatever is wrong', async () => {
    const { audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: null });
    const params = await joinParams(line);
    const { identity } = params;
    const said = new Set<string>();
    const attempts = [
      { ...params, secret: 'wrong' },
      { ...params, secret: null },
      { ...params, identity: { ...identity, nodeId: 'other' } },
      { ...params, identity: { ...identity, sshUserKey: 'ssh-ed25519 AAAA\nssh-rsa BBBB' } },
    ];
    for (const attempt of attempts) {
      const error = await audio2.pairing.handleJoin(attempt, open).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'pair.refused' });
      said.add((error as Error).message);
    }
    const without = await world.audio.pairing.handleJoin(params, open).catch((thrown: unknown) => thrown);
    said.add((without as Error).message);
    expect([...said]).toHaveLength(1);
  });

  test('with the right secret and another name than PEER_ID is refused', async () => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    const params = await joinParams(line);
    const other = { ...params, identity: { ...params.identity, nodeId: 'audio9' } };
    await expect(world.audio2.pairing.handleJoin(other, open)).rejects.toMatchObject({
      code: 'pair.refused',
    });
    expect(world.audio2.keyring.record()).toBeNull();
  });

  test('cannot renew what the peer is known by', async () => {
    await pairUp(world);
    const { line } = await world.audio2.pairing.invite({ url: null });
    const params = { ...(await joinParams(line)), secret: null };
    const record = world.audio2.keyring.record();
    await expect(world.audio2.pairing.handleJoin(params, open)).rejects.toMatchObject({
      code: 'pair.refused',
    });
    const asAnother = { ...open, caller: 'audio9' };
    await expect(world.audio2.pairing.handleJoin(params, asAnother)).rejects.toMatchObject({
      code: 'pair.refused',
    });
    expect(world.audio2.keyring.record()).toEqual(record);
  });

  test.each([
    ['a token key under another id', { tokenKeys: (key: object) => [{ ...key, kid: 'of-another' }] }],
    ['a user that is no name', { sshUser: () => 'root -o ProxyCommand=x' }],
    ['a certificate that is none', { certificates: () => ['-----BEGIN CERTIFICATE-----\nAAAA\n'] }],
    ['a queue directory that is no path', { queueDir: () => 'queue' }],
    ['a queue directory with a line break', { queueDir: () => '/queue\nssh-rsa AAAA' }],
    ['a host key of more than one line', { sshHostKeys: () => ['ssh-ed25519 AAAA\nssh-rsa BBBB'] }],
  ])('with %s is not trusted, even with the secret', async (_, change) => {
    const { line } = await world.audio2.pairing.invite({ url: null });
    const params = await joinParams(line);
    const changes = Object.fromEntries(
      Object.entries(change).map(([name, make]) => [
        name,
        (make as (key: object) => unknown)(params.identity.tokenKeys[0]!),
      ]),
    );
    const identity = { ...params.identity, ...changes };
    await expect(world.audio2.pairing.handleJoin({ ...params, identity }, open)).rejects.toMatchObject({
      code: 'pair.refused',
    });
    expect(world.audio2.keyring.record()).toBeNull();
    await expect(stat(join(world.audio2.home, '.ssh/authorized_keys'))).rejects.toThrow('ENOENT');
  });
});

describe('accepting', () => {
  test('a line of this node itself, or of another one than PEER_ID, is refused before anybody is called', async () => {
    const { audio, audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: null });
    await expect(audio2.pairing.accept(line)).rejects.toMatchObject({ code: 'pair.wrong-node' });
    const other = formatInvitation({ ...parseInvitation(line), nodeId: 'audio9' });
    await expect(audio.pairing.accept(other)).rejects.toMatchObject({
      code: 'pair.wrong-node',
      message: 'audio9 invites, but PEER_ID is audio2: correct one of them',
    });
    expect(audio2.pairing.invitationOpen()).toBe(true);
  });

  test('tells what a refusal can mean, since the other side says nothing', async () => {
    const { audio, audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: null });
    await audio2.restart();
    const error = (await audio.pairing.accept(line).catch((thrown: unknown) => thrown)) as AppError;
    expect(error).toMatchObject({ code: 'pair.refused' });
    expect(error.message).toContain('node-ctl pair invite');
    expect(audio.keyring.record()).toBeNull();
  });

  test('trusts nobody who answers under another certificate or name', async () => {
    const { audio, audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: null });
    const { fingerprint: other } = audio.keyring.own();
    const elsewhere = formatInvitation({ ...parseInvitation(line), fingerprint: other });
    await expect(audio.pairing.accept(elsewhere)).rejects.toMatchObject({ code: 'peer.wrong-certificate' });
    expect(audio.keyring.record()).toBeNull();
  });

  test('again, after the answer was lost, joins the two with a new line', async () => {
    const { audio, audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: null });
    await audio2.pairing.handleJoin(await joinParams(line), open); // audio never hears of it
    await expect(audio.pairing.accept(line)).rejects.toMatchObject({ code: 'pair.refused' });
    await pairUp(world);
    expect(await hears(audio, world)).toBe(true);
    expect((await authorizedKeys(audio2)).match(/parelha:audio/g)).toHaveLength(1);
  });

  test('warns where PEER_URL is another than that of the invitation', async () => {
    const { audio, audio2 } = world;
    const { line } = await audio2.pairing.invite({ url: 'https://audio2.vpn.example.test:7444' });
    expect((await audio.pairing.accept(line)).notes.join()).toContain('PEER_URL');
  });
});

test('an invitation needs an https URL of host and port', async () => {
  for (const url of [
    'http://audio2:7443',
    'https://audio2:7443/rpc',
    'audio2:7443',
    'https://a@audio2:7443',
  ]) {
    await expect(world.audio2.pairing.invite({ url })).rejects.toMatchObject({ code: 'request.invalid' });
  }
  expect(world.audio2.pairing.invitationOpen()).toBe(false);
});

describe('remove', () => {
  test('forgets the peer: neither side hears the other, and no file of it is taken', async () => {
    const { audio, audio2 } = world;
    await pairUp(world);
    await writeFile(
      join(audio2.home, '.ssh/authorized_keys'),
      `ssh-rsa AAAA someone\n${await authorizedKeys(audio2)}`,
    );
    expect(await audio2.pairing.remove()).toEqual({ peerId: 'audio', notes: [] });
    expect(audio2.keyring.peer()).toBeNull();
    expect(await hears(audio, world)).toBe(false);
    expect(await hears(audio2, world)).toBe(false);
    expect(await authorizedKeys(audio2)).toBe('ssh-rsa AAAA someone\n');
    expect(await readdir(audio2.certsDir)).not.toContain('peer.json');
    await audio2.restart();
    expect(audio2.keyring.peer()).toBeNull();
    expect(audio2.audited.at(-1)).toMatchObject({ event: 'pair.removed', peer: 'audio' });
  });

  test('of a node that is not paired does nothing, and closes an invitation', async () => {
    await world.audio2.pairing.invite({ url: null });
    expect(await world.audio2.pairing.remove()).toEqual({ peerId: null, notes: [] });
    expect(world.audio2.pairing.invitationOpen()).toBe(false);
  });

  test('lets the two be joined anew', async () => {
    await pairUp(world);
    await world.audio.pairing.remove();
    await world.audio2.pairing.remove();
    await pairUp(world);
    expect(await hears(world.audio, world)).toBe(true);
  });
});

test('status shows both sides’ keys, and what is open', async () => {
  const { audio, audio2 } = world;
  await pairUp(world);
  await audio.pairing.invite({ url: null });
  const status = await audio.pairing.status();
  expect(status).toMatchObject({
    nodeId: 'audio',
    own: { fingerprint: audio.keyring.own().fingerprint, madeAt: world.clock.now() },
    configuredPeer: 'audio2',
    paired: {
      peerId: 'audio2',
      certificates: [audio2.keyring.own().fingerprint],
      tokenKeys: [audio2.keyring.own().tokenKey.kid],
      renewedAt: null,
    },
    invitation: { triesLeft: 5 },
    rotation: 'none',
    authorizedKeys: { state: 'installed' },
  });
  expect(status.own.sshUserKey).toMatch(/^ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}$/);
  expect(status.problems.join()).toContain('no SSH host key of audio2 is known');
});
