import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createAccess } from '../../../node/access/access.ts';
import { openDoorTokens } from '../../../node/access/door-token.ts';
import { createWhitelist } from '../../../node/access/whitelist.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { createLog, silentLog } from '../../../node/platform/log.ts';
import { temporaryDirectory } from '../../support/process.ts';

describe('the whitelist', () => {
  const whitelist = createWhitelist(['Ana@Example.com', ' @voz.example.test ', ''].filter(Boolean), [
    'admin@example.com',
  ]);

  test.each(['ana@example.com', 'ANA@EXAMPLE.COM', 'anyone@voz.example.test', 'admin@example.com'])(
    'allows %s',
    (address) => {
      expect(whitelist.allows(address)).toBe(true);
    },
  );

  test.each([
    'bia@example.com',
    'ana@example.com.evil.example',
    'x@sub.voz.example.test',
    'ana@example.com@voz.example.test.evil.example',
    '@voz.example.test',
    'voz.example.test',
    '',
  ])('does not allow "%s"', (address) => {
    expect(whitelist.allows(address)).toBe(false);
  });

  test.each(['ana', 'example.com', '@', 'a b@example.com'])('refuses the entry "%s"', (entry) => {
    expect(() => createWhitelist([entry], [])).toThrow(expect.objectContaining({ code: 'access.whitelist' }));
  });
});

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
  const whitelist = createWhitelist(['ana@example.com'], []);
  const tokens = {
    accepts: async (candidates: readonly string[]) => candidates.includes('A1B2C3D4'),
    listed: async () => new Set(['A1B2C3D4']),
  };
  const strict = createAccess({ whitelist, tokens, requireToken: true });

  test('opens to who is on the list and has a token, and hands on the subject without it', async () => {
    expect(await strict.decide('ana@example.com', '[A1B2C3D4] RAMAIS=1121')).toEqual({
      allowed: true,
      reason: null,
      subject: 'RAMAIS=1121',
    });
  });

  test.each([
    ['ana@example.com', 'RAMAIS=1121', 'token-missing'],
    ['ana@example.com', '[00000000] RAMAIS=1121', 'token-wrong'],
    ['eve@example.com', '[A1B2C3D4] RAMAIS=1121', 'not-allowed'],
    [null, '[A1B2C3D4] RAMAIS=1121', 'not-allowed'],
  ])('stays shut to %s with %s', async (from, subject, reason) => {
    expect(await strict.decide(from, subject)).toEqual({ allowed: false, reason, subject: 'RAMAIS=1121' });
  });

  test('shows nobody a token that was written without its brackets', async () => {
    expect(await strict.decide('ana@example.com', 'A1B2C3D4 RAMAIS=1121')).toEqual({
      allowed: false,
      reason: 'token-missing',
      subject: '******** RAMAIS=1121',
    });
    expect(await strict.conceal('Subject: [00000000] A1B2C3D4')).toBe('Subject: [********] ********');
  });

  test('asks for no token where none is required, and cuts it all the same', async () => {
    const open = createAccess({ whitelist, tokens: null, requireToken: false });
    expect(await open.decide('ana@example.com', '[00000000] RAMAIS=1121')).toMatchObject({
      allowed: true,
      subject: 'RAMAIS=1121',
    });
  });

  test('stays shut where tokens are required and there is no file of them', async () => {
    const shut = createAccess({ whitelist, tokens: null, requireToken: true });
    expect(await shut.decide('ana@example.com', '[A1B2C3D4] x')).toMatchObject({
      allowed: false,
      reason: 'token-wrong',
    });
  });
});
