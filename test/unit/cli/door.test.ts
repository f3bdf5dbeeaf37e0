import { describe, expect, test } from 'vitest';
import type { NodeControl } from '../../../node/listeners/control-contract.ts';
import type { QuarantineView } from '../../../node/listeners/control-quarantine.ts';
import type { TokenView } from '../../../node/listeners/control-tokens.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { nodeCtlAgainst } from '../../support/run-node-ctl.ts';

/** node-ctl against a node that answers so. */
async function nodeCtl(args: readonly string[], over: Partial<NodeControl> = {}) {
  const control = fakeNodeControl(over);
  return { ...(await nodeCtlAgainst(control, args, fixedClock())), calls: control.calls };
}

const MAIL: QuarantineView = {
  id: '3f9a1c02ab12'.padEnd(64, '0'),
  at: '2026-03-02T12:00:00Z',
  receivedAt: '2026-03-02T10:00:00Z',
  from: 'Ana <ana@example.test>',
  subject: 'RAMAIS=1121 \u001b[31m',
  reason: 'unsigned',
  detail: 'no signature of example.test',
  sizeBytes: 1_400,
};

describe('node-ctl quarantine', () => {
  test('list shows the mails, and how to decide on them', async () => {
    const { code, out } = await nodeCtl(['quarantine', 'list'], {
      quarantine: async () => ({ mails: [MAIL] }),
    });
    expect(code).toBe(0);
    expect(out).toMatch(/3f9a1c02ab12 .* unsigned .*ana@example\.test.*RAMAIS=1121/);
    expect(out).not.toContain('\u001b');
    expect(out).toContain('release ID or dismiss ID');
    const none = await nodeCtl(['quarantine', 'list'], { quarantine: async () => ({ mails: [] }) });
    expect(none.out).toBe('no mail is in quarantine on this node\n');
  });

  test('show prints why, and the mail, harmless for a terminal', async () => {
    const text = 'Subject: [********] RAMAIS=1121\n\n\u001b]0;x\u0007';
    const { out } = await nodeCtl(['quarantine', 'show', '3F9A'], {
      quarantineShow: async () => ({ mail: MAIL, text }),
    });
    expect(out).toContain('unsigned: no signature of example.test');
    expect(out).toContain('Subject: [********] RAMAIS=1121');
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('\u0007');
  });

  test.each(['release', 'dismiss'])('%s says what was done', async (how) => {
    const done = async () => ({ id: MAIL.id, message: 'done so' });
    const { code, out, calls } = await nodeCtl(['quarantine', how, '3f9a1c02'], {
      quarantineRelease: done,
      quarantineDismiss: done,
    });
    expect([code, out]).toEqual([0, 'done so\n']);
    expect(calls).toMatchObject([{ params: { id: '3f9a1c02' } }]);
  });

  test('an unknown mail is refused with exit code 2', async () => {
    const refuse = (): never => {
      throw new AppError('job.not-found', 'no mail in quarantine begins so');
    };
    expect((await nodeCtl(['quarantine', 'release', 'beef'], { quarantineRelease: refuse })).code).toBe(2);
    expect((await nodeCtl(['quarantine', 'release', '../x'])).code).toBe(2);
  });
});

const GOOD: TokenView = {
  id: '3f9a1c02d4e5',
  for: 'ana@example.test',
  state: 'good',
  singleUse: true,
  expiresAt: '2026-06-01T12:00:00Z',
  usedBy: null,
  note: 'telefone novo',
  addedAt: '2026-03-02T12:00:00Z',
  addedBy: 'node-ctl',
};

describe('node-ctl token', () => {
  const made = async () => ({ id: GOOD.id, token: 'A1B2C3D4', expiresAt: GOOD.expiresAt, warning: null });

  test('add shows the token once, on a line of its own', async () => {
    const args = ['token', 'add', '--for', 'ana@example.test', '--expires', '12h', '--single-use'];
    const { code, out, calls } = await nodeCtl(args, { tokenAdd: made });
    expect(code).toBe(0);
    expect(out).toMatch(/^A1B2C3D4\n\ntoken 3f9a1c02d4e5, good until /);
    expect(calls[0]?.params).toEqual({
      for: 'ana@example.test',
      expiresHours: 12,
      singleUse: true,
      note: '',
    });
  });

  test.each([
    [[], 90 * 24],
    [['--expires', '30d'], 30 * 24],
    [['--expires', 'never'], null],
  ])('add %j ends in so many hours: %s', async (more, expiresHours) => {
    const { calls } = await nodeCtl(['token', 'add', '--for', 'a@x.test', ...more], { tokenAdd: made });
    expect(calls[0]?.params).toMatchObject({ expiresHours, singleUse: false });
  });

  test('add warns of what keeps the token from opening the door', async () => {
    const tokenAdd = async () => ({ ...(await made()), warning: 'ana@example.test is not on the whitelist' });
    const { out } = await nodeCtl(['token', 'add', '--for', 'ana@example.test'], { tokenAdd });
    expect(out).toContain('warning: ana@example.test is not on the whitelist');
  });

  test.each([
    ['without a person', ['token', 'add']],
    ['with another time', ['token', 'add', '--for', 'a@x.test', '--expires', 'soon']],
    ['for no address', ['token', 'add', '--for', 'ana']],
  ])('add %s is refused with exit code 2', async (_, args) => {
    expect((await nodeCtl(args, { tokenAdd: made })).code).toBe(2);
  });

  test('list shows those that open, with --all the others too, and never what they are', async () => {
    const old: TokenView = { ...GOOD, id: 'ffffffffffff', for: null, state: 'revoked', singleUse: false };
    const over = { tokens: async () => ({ tokens: [GOOD, old] }) };
    const { out } = await nodeCtl(['token', 'list'], over);
    expect(out).toMatch(/3f9a1c02d4e5 +ana@example\.test +good .* once +telefone novo/);
    expect(out).not.toContain('ffffffffffff');
    expect(out).toContain('1 that open nothing any more');
    expect((await nodeCtl(['token', 'list', '--all'], over)).out).toMatch(/ffffffffffff +anybody +revoked/);
  });

  test('revoke and import say what was done', async () => {
    const revoked = await nodeCtl(['token', 'revoke', '3F9A1C02'], {
      tokenRevoke: async ({ id }) => ({ id, message: `token ${id} opens nothing any more` }),
    });
    expect(revoked.out).toBe('token 3f9a1c02 opens nothing any more\n');
    const imported = await nodeCtl(['token', 'import'], {
      tokenImport: async () => ({ imported: 2, message: '2 of TOKEN_FILE were taken over' }),
    });
    expect(imported.out).toContain('2 of TOKEN_FILE');
  });
});

describe('node-ctl lockout', () => {
  test('list shows who is locked out', async () => {
    const locks = [{ who: '*', since: '2026-03-02T12:00:00Z', until: '2026-03-03T12:00:00Z' }];
    const { out } = await nodeCtl(['lockout', 'list'], { lockouts: async () => ({ locks }) });
    expect(out).toMatch(/WHO .*\neverybody +2026-/);
    expect((await nodeCtl(['lockout', 'list'], { lockouts: async () => ({ locks: [] }) })).out).toContain(
      'nobody',
    );
  });

  test('clear lifts the lock of one or of everybody, and wants to be told which', async () => {
    const over = { lockoutClear: async ({ who }: { who: string }) => ({ message: `${who} may try again` }) };
    expect((await nodeCtl(['lockout', 'clear', 'ana@example.test'], over)).out).toContain(
      'ana@example.test may',
    );
    expect((await nodeCtl(['lockout', 'clear', '--everybody'], over)).calls[0]?.params).toEqual({ who: '*' });
    expect((await nodeCtl(['lockout', 'clear'], over)).code).toBe(2);
    expect((await nodeCtl(['lockout', 'clear', 'a@x.test', '--everybody'], over)).code).toBe(2);
  });
});
