import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AskLine } from '../../../node/cli/ask.ts';
import type { Io } from '../../../node/cli/context.ts';
import { addPair } from '../../../node/cli/pair.ts';
import { runNodeCtl } from '../../../node/cli/program.ts';
import { type ControlListener, openControlSocket } from '../../../node/listeners/control.ts';
import type { NodeControl } from '../../../node/listeners/control-contract.ts';
import { pairingControl, type PairStatusView } from '../../../node/listeners/control-pairing.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { temporaryDirectory } from '../../support/process.ts';

const LINE = `parelha-pair-1-${'0a'.repeat(100)}`;
const INVITED = {
  line: LINE,
  peerId: 'audio2',
  url: 'https://audio.example.com:7443',
  fingerprint: 'a1'.repeat(32),
  expiresAt: '2026-03-02T12:10:00Z',
};
const STATUS: PairStatusView = {
  nodeId: 'audio',
  own: {
    fingerprint: 'a1b2',
    madeAt: '2026-01-01T00:00:00Z',
    tokenKey: 'key-1',
    sshUserKey: 'ssh-ed25519 SHA256:abc',
  },
  configuredPeer: 'audio2',
  paired: {
    ...{ peerId: 'audio2', pairedAt: '2026-01-02T00:00:00Z', renewedAt: null },
    ...{
      certificates: ['c3d4'],
      tokenKeys: ['key-2'],
      sshUser: 'parelha',
      queueDir: '/var/lib/parelha/queue',
    },
  },
  sshHostKeys: ['ssh-ed25519 SHA256:def'],
  invitation: null,
  rotation: 'none',
  authorizedKeys: { path: '/var/lib/parelha/.ssh/authorized_keys', state: 'installed' },
  problems: [],
};

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let listener: ControlListener | null = null;
let socket: string;

beforeAll(async () => {
  vi.stubEnv('TZ', 'UTC');
  directory = await temporaryDirectory();
  socket = join(directory.path, 'control.sock');
});
afterEach(async () => {
  await listener?.close();
  listener = null;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await directory[Symbol.asyncDispose]();
});

/** A node that does as it is told here. */
async function listen(over: Partial<NodeControl>): Promise<void> {
  await listener?.close();
  const control = { ...fakeNodeControl(), ...over } as NodeControl;
  listener = await openControlSocket({ path: socket, control, log: silentLog });
}

function ioInto(seen: { out: string; err: string }): Omit<Io, 'exit'> {
  return {
    out: (written) => (seen.out += written),
    err: (written) => (seen.err += written),
    errIsTerminal: false,
    env: {},
    clock: systemClock,
    interrupted: new AbortController().signal,
  };
}

/** Runs `node-ctl pair …` against such a node. */
async function run(over: Partial<NodeControl>, ...args: string[]) {
  await listen(over);
  const seen = { code: null as number | null, out: '', err: '' };
  const exit = (code: number): void => void (seen.code = code);
  await runNodeCtl(['--socket', socket, 'pair', ...args], { ...ioInto(seen), exit });
  return seen;
}
const refusing = (code: string) => () => Promise.reject(new AppError(code, 'because'));

describe('node-ctl pair invite', () => {
  test('prints the line on a line of its own, and what is to be done with it', async () => {
    const pairInvite = vi.fn<NodeControl['pairInvite']>(() => Promise.resolve(INVITED));
    const { code, out, err } = await run({ pairInvite }, 'invite');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n')).toEqual([
      LINE,
      '',
      'Good until 2026-03-02 12:10:00, once. It is a secret: whoever has it first is trusted as audio2.',
      'Next, on audio2, which must reach https://audio.example.com:7443:',
      '  node-ctl pair accept      (it asks for the line)',
      '',
    ]);
    expect(pairInvite.mock.calls[0]?.[0]).toEqual({ url: null });
    await run({ pairInvite }, 'invite', '--url', 'https://a:1');
    expect(pairInvite.mock.calls[1]?.[0]).toEqual({ url: 'https://a:1' });
  });

  test('of a node alone is refused with what to do', async () => {
    const { code, err } = await run(pairingControl(null), 'invite');
    expect(code).toBe(2);
    expect(err).toContain('PEER_ID is not set');
  });
});

describe('node-ctl pair accept', () => {
  const joined = { peerId: 'audio2', fingerprint: 'c3d4', notes: [] };

  test('joins, and says the next step; a line that the shell took apart is put together', async () => {
    const pairAccept = vi.fn<NodeControl['pairAccept']>(() => Promise.resolve(joined));
    const { code, out } = await run({ pairAccept }, 'accept', LINE.slice(0, 40), LINE.slice(40));
    expect(code).toBe(0);
    expect(out).toContain('Joined with audio2');
    expect(out).toContain('Next: node-ctl status');
    expect(pairAccept.mock.calls[0]?.[0]).toEqual({ line: LINE });
  });

  test('asks for the line where none is given, so that no list of processes shows it', async () => {
    const pairAccept = vi.fn<NodeControl['pairAccept']>(() => Promise.resolve(joined));
    const ask = vi.fn<AskLine>(() => Promise.resolve(LINE));
    const program = new Command('node-ctl').option('--socket <path>').exitOverride();
    const exit = vi.fn();
    await listen({ pairAccept });
    addPair(program, { ...ioInto({ out: '', err: '' }), exit }, ask);
    await program.parseAsync(['--socket', socket, 'pair', 'accept'], { from: 'user' });
    expect(exit).toHaveBeenCalledExactlyOnceWith(0);
    expect(pairAccept.mock.calls[0]?.[0]).toEqual({ line: LINE });
    expect(ask).toHaveBeenCalledOnce();
  });

  test('is incomplete where something is not as it should be', async () => {
    const pairAccept = () => Promise.resolve({ ...joined, notes: ['no\u001B[31m access'] });
    const { code, out } = await run({ pairAccept }, 'accept', LINE);
    expect(code).toBe(4);
    expect(out).toContain('warning: no\\u{1b}[31m access');
  });

  test.each(['pair.bad-line', 'pair.wrong-node', 'pair.refused', 'pair.not-configured'])(
    'ends with 2 at %s',
    async (code) => {
      expect(await run({ pairAccept: refusing(code) }, 'accept', LINE)).toMatchObject({ code: 2, out: '' });
    },
  );
});

describe('node-ctl pair status', () => {
  test('shows both nodes’ keys and the next step', async () => {
    const { code, out } = await run({ pairStatus: () => Promise.resolve(STATUS) }, 'status');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'node         audio',
      'certificate  a1b2 (made 2026-01-01 00:00:00)',
      'token key    key-1',
      'ssh key      ssh-ed25519 SHA256:abc',
      '',
      'peer         audio2, joined 2026-01-02 00:00:00',
      'certificate  c3d4',
      'token key    key-2',
      'files go to  parelha@…:/var/lib/parelha/queue/pending',
      'host key     ssh-ed25519 SHA256:def',
      'its files    installed in /var/lib/parelha/.ssh/authorized_keys',
      '',
      'Next: node-ctl status shows whether the two are in contact.',
      '',
    ]);
  });

  test.each([
    [{ configuredPeer: null, paired: null }, 'Next: set PEER_ID'],
    [{ paired: null }, 'Next: node-ctl pair invite'],
    [
      { paired: null, invitation: { expiresAt: '2026-03-02T12:10:00Z', triesLeft: 3 } },
      'Next, on audio2: node-ctl pair accept',
    ],
    [{ rotation: 'retiring' as const }, 'the peer has yet to forget the old ones'],
    [{ problems: ['look here'] }, 'warning: look here'],
  ])('of %j', async (change, expected) => {
    const pairStatus = () => Promise.resolve({ ...STATUS, ...change });
    expect((await run({ pairStatus }, 'status')).out).toContain(expected);
  });

  test('as JSON is what the daemon said', async () => {
    const { out } = await run({ pairStatus: () => Promise.resolve(STATUS) }, 'status', '--json');
    expect(JSON.parse(out)).toEqual(STATUS);
  });
});

describe('node-ctl pair rotate', () => {
  test.each([
    ['done', 0],
    ['retiring', 4],
  ] as const)('that is %s ends with %i', async (state, expected) => {
    const pairRotate = () => Promise.resolve({ state, message: 'new keys are in use' });
    const { code, out } = await run({ pairRotate }, 'rotate');
    expect(code).toBe(expected);
    expect(out).toBe('new keys are in use\nNext: node-ctl pair status shows the new keys.\n');
  });

  test.each([
    ['pair.not-paired', 2],
    ['pair.peer-away', 2],
    ['pair.unfinished', 3],
  ])('that meets %s ends with %i', async (code, expected) => {
    expect((await run({ pairRotate: refusing(code) }, 'rotate')).code).toBe(expected);
  });
});

describe('node-ctl pair remove', () => {
  const pairStatus = () => Promise.resolve(STATUS);

  test('changes nothing without --yes, and says what it would do', async () => {
    const pairRemove = vi.fn<NodeControl['pairRemove']>();
    const { code, out } = await run({ pairStatus, pairRemove }, 'remove');
    expect(code).toBe(2);
    expect(out).toContain('This would forget audio2');
    expect(out).toContain('node-ctl pair remove --yes');
    expect(pairRemove).not.toHaveBeenCalled();
  });

  test('forgets the peer and says the next step', async () => {
    const pairRemove = () => Promise.resolve({ peerId: 'audio2', notes: [] });
    const { code, out } = await run({ pairRemove }, 'remove', '--yes');
    expect(code).toBe(0);
    expect(out).toContain('Next, on audio2');
  });

  test('of a node that is not paired does nothing', async () => {
    const pairRemove = () => Promise.resolve({ peerId: null, notes: [] });
    expect(await run({ pairRemove }, 'remove', '--yes')).toMatchObject({ code: 0 });
    const alone = () => Promise.resolve({ ...STATUS, paired: null });
    expect(await run({ pairStatus: alone }, 'remove')).toMatchObject({ code: 0 });
  });
});

test('each command’s help shows an example', async () => {
  for (const name of ['invite', 'accept', 'status', 'rotate', 'remove']) {
    const { code, out } = await run({}, name, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`$ node-ctl pair ${name}`);
  }
});
