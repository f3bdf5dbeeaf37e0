import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type AccessDecision, type AccessOptions, createAccess } from '../../../node/access/access.ts';
import { openDoorTokens } from '../../../node/access/door-token.ts';
import { openLockout } from '../../../node/access/lockout.ts';
import { createTokenStore } from '../../../node/access/token-store.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAccessStore, memoryPeople } from '../../support/memory-access-store.ts';
import { temporaryDirectory } from '../../support/process.ts';

describe('the token file', () => {
  async function tokens(content: string) {
    const directory = await temporaryDirectory();
    const path = join(directory.path, 'valid_tokens.txt');
    await writeFile(path, content);
    const lines: string[] = [];
    const log = createLog({ level: 'info', style: 'terminal', write: (line) => lines.push(line) });
    let changes = 0;
    return {
      path,
      lines,
      log,
      rewrite: async (text: string) => {
        await writeFile(path, text);
        changes += 1;
        await utimes(path, 1_800_000_000 + changes, 1_800_000_000 + changes);
      },
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    };
  }

  test('is read by lines, with comments and empty lines', async () => {
    await using it = await tokens('# staff\nA1B2C3D4\n\n  [0000abcd]  # Ana\r\n');
    const door = await openDoorTokens(it.path, silentLog);
    expect(await door.accepts(['A1B2C3D4'])).toBe(true);
    expect(await door.accepts(['0000ABCD'])).toBe(true);
    expect(await door.accepts(['11111111'])).toBe(false);
    expect(await door.accepts(['11111111', 'A1B2C3D4'])).toBe(true);
    expect(await door.accepts([])).toBe(false);
  });

  test('is read as JSON, without the tokens that are switched off', async () => {
    const list = [
      { token: 'a1b2c3d4', description: 'Ana', enabled: true },
      { token: '00000000', enabled: false },
      { token: '11111111' },
    ];
    await using it = await tokens(JSON.stringify({ tokens: list }));
    const door = await openDoorTokens(it.path, silentLog);
    expect(await door.accepts(['A1B2C3D4'])).toBe(true);
    expect(await door.accepts(['00000000'])).toBe(false);
    expect(await door.accepts(['11111111'])).toBe(true);
  });

  test('lists also what does not open: it is a secret all the same', async () => {
    const list = [{ token: 'a1b2c3d4' }, { token: '00000000', enabled: false }];
    await using it = await tokens(JSON.stringify({ tokens: list }));
    const door = await openDoorTokens(it.path, silentLog);
    expect(await door.listed()).toEqual(new Set(['A1B2C3D4', '00000000']));
    await it.rewrite('11111111');
    expect(await door.listed()).toEqual(new Set(['11111111']));
  });

  test.each([
    'A1B2C3D4 and more',
    'nonsense',
    '{"tokens": [{"token": "nonsense"}]}',
    '{"tokens":',
    '{"tokens": {}}',
  ])('broken at the start, as by %s, is refused without telling its content', async (content) => {
    await using it = await tokens(content);
    const error = await openDoorTokens(it.path, silentLog).catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe('access.token-file');
    expect(String(error)).not.toContain('nonsense');
    expect(String(error)).not.toContain('A1B2C3D4');
  });

  test('that is not there is refused', async () => {
    expect(await openDoorTokens('/nowhere/tokens.txt', silentLog).catch(codeOf)).toBe('access.token-file');
  });

  test('is read again when it changes', async () => {
    await using it = await tokens('A1B2C3D4\n');
    const door = await openDoorTokens(it.path, it.log);
    await it.rewrite('00000000\n');
    expect(await door.accepts(['A1B2C3D4'])).toBe(false);
    expect(await door.accepts(['00000000'])).toBe(true);
  });

  test('broken later leaves the last good list in force, with one warning', async () => {
    await using it = await tokens('A1B2C3D4\n');
    const door = await openDoorTokens(it.path, it.log);
    await it.rewrite('{ "tokens": [');
    expect(await door.accepts(['A1B2C3D4'])).toBe(true);
    expect(await door.accepts(['A1B2C3D4'])).toBe(true);
    expect(it.lines.filter((line) => line.includes('broken'))).toHaveLength(1);
    await it.rewrite('00000000\n');
    expect(await door.accepts(['A1B2C3D4'])).toBe(false);
  });
});

describe('the door', () => {
  const JOB = 'a'.repeat(64);
  const people = memoryPeople(['ana@example.com']);
  const tokens = {
    accepts: async (candidates: readonly string[]) => candidates.includes('A1B2C3D4'),
    listed: async () => new Set(['A1B2C3D4']),
  };

  async function door(change: Partial<AccessOptions> = {}) {
    const directory = await temporaryDirectory();
    const clock = fixedClock();
    const stored = createTokenStore(createMemoryAccessStore(), clock);
    const lockout = await openLockout({ path: join(directory.path, 'lockout.json'), clock, log: silentLog });
    const access = createAccess({ people, tokens, stored, lockout, requireToken: true, ...change });
    return { access, stored, lockout, clock, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
  }
  const open = { allowed: true, reason: null, token: null, lock: null };

  test('opens to who is on the list and has a token, and hands on the subject without it', async () => {
    await using it = await door();
    expect(await it.access.decide('ana@example.com', '[A1B2C3D4] RAMAIS=1121', JOB)).toEqual({
      ...open,
      token: 'file',
      subject: 'RAMAIS=1121',
    });
  });

  test.each([
    ['ana@example.com', 'RAMAIS=1121', 'token-missing'],
    ['ana@example.com', '[00000000] RAMAIS=1121', 'token-wrong'],
    ['eve@example.com', '[A1B2C3D4] RAMAIS=1121', 'not-allowed'],
    [null, '[A1B2C3D4] RAMAIS=1121', 'not-allowed'],
  ])('stays shut to %s with %s', async (from, subject, reason) => {
    await using it = await door();
    const decision = await it.access.decide(from, subject, JOB);
    expect(decision).toEqual({ allowed: false, reason, subject: 'RAMAIS=1121', token: null, lock: null });
  });

  test('shows nobody a token that was written without its brackets', async () => {
    await using it = await door();
    expect(await it.access.decide('ana@example.com', 'A1B2C3D4 RAMAIS=1121', JOB)).toMatchObject({
      allowed: false,
      reason: 'token-missing',
      subject: '******** RAMAIS=1121',
    });
    expect(await it.access.conceal('Subject: [00000000] A1B2C3D4')).toBe('Subject: [********] ********');
  });

  test('asks for no token where none is required, and cuts it all the same', async () => {
    await using it = await door({ tokens: null, requireToken: false });
    expect(await it.access.decide('ana@example.com', '[00000000] RAMAIS=1121', JOB)).toEqual({
      ...open,
      subject: 'RAMAIS=1121',
    });
  });

  test('stays shut where tokens are required and there are none', async () => {
    await using it = await door({ tokens: null });
    expect(await it.access.decide('ana@example.com', '[A1B2C3D4] x', JOB)).toMatchObject({
      allowed: false,
      reason: 'token-wrong',
    });
  });

  test('opens to a stored token of the sender, once where it is good once, and again to the same job', async () => {
    await using it = await door();
    const { id, token } = await it.stored.add(
      { for: 'ana@example.com', expiresAt: null, singleUse: true, note: '' },
      'node-ctl',
    );
    const decision = await it.access.decide('Ana@Example.com', `[${token.toLowerCase()}] RAMAIS=1`, JOB);
    expect(decision).toEqual({ ...open, subject: 'RAMAIS=1', token: `token:${id}` });
    await it.access.use(decision, JOB);
    expect(await it.access.decide('ana@example.com', `[${token}] RAMAIS=1`, JOB)).toMatchObject({
      token: `token:${id}`,
    });
    const other = await it.access.decide('ana@example.com', `[${token}] RAMAIS=1`, 'b'.repeat(64));
    expect(other).toMatchObject({ allowed: false, reason: 'token-wrong' });
  });

  test('is locked to a sender after five wrong tokens, also with a good one, until it is cleared', async () => {
    await using it = await door();
    for (let n = 1; n <= 5; n += 1) {
      const { lock } = await it.access.decide('ana@example.com', `[0000000${n}] x`, String(n));
      expect(lock?.who ?? null).toBe(n < 5 ? null : 'ana@example.com');
    }
    const good = (): Promise<AccessDecision> => it.access.decide('ana@example.com', '[A1B2C3D4] x', JOB);
    expect(await good()).toMatchObject({ allowed: false, reason: 'locked-out' });
    expect(await it.access.decide('admin@example.com', '[A1B2C3D4] x', JOB)).toMatchObject({ allowed: true });
    expect(await it.lockout.clear('ANA@example.com')).toBe(true);
    expect(await good()).toMatchObject({ allowed: true });
  });

  test('counts every token of a subject, and a subject that is decided on again once', async () => {
    await using it = await door();
    for (const job of ['1', '1', '1', '1', '1', '1'])
      await it.access.decide('ana@example.com', '[00000000] x', job);
    expect(it.lockout.list()).toEqual([]);
    await it.access.decide('ana@example.com', '[00000001][00000002][00000003][00000004] x', '2');
    expect(it.lockout.list()).toEqual([]);
    await it.access.decide('ana@example.com', '[00000005] x', '3');
    expect(it.lockout.list()).toMatchObject([{ who: 'ana@example.com' }]);
  });
});
