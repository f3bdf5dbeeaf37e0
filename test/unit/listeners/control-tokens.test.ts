import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLockout } from '../../../node/access/lockout.ts';
import { createTokenStore } from '../../../node/access/token-store.ts';
import type { AuditEvent } from '../../../node/audit.ts';
import { createTokenControl, type TokenControlOptions } from '../../../node/listeners/control-tokens.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAccessStore, memoryPeople } from '../../support/memory-access-store.ts';
import { temporaryDirectory } from '../../support/process.ts';

const ANA = 'ana@example.com';

async function world(change: Partial<TokenControlOptions> = {}) {
  const directory = await temporaryDirectory();
  const clock = fixedClock();
  const events: AuditEvent[] = [];
  const lockout = await openLockout({ path: join(directory.path, 'lockout.json'), clock, log: silentLog });
  const control = createTokenControl({
    tokens: createTokenStore(createMemoryAccessStore(), clock),
    doorTokens: { enabled: async () => [{ token: 'A1B2C3D4', note: 'Ana' }] },
    lockout,
    people: memoryPeople([ANA]),
    requireToken: true,
    clock,
    record: async (event) => void events.push(event),
    ...change,
  });
  return { control, clock, events, lockout, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

const WANTED = { for: 'Ana@Example.com', expiresHours: 1, singleUse: false, note: '' };

test('a token is made for a person, ends in time, and the audit log never has it', async () => {
  await using it = await world();
  const made = await it.control.tokenAdd(WANTED);
  expect(made).toMatchObject({ expiresAt: '2026-03-02T13:00:00Z', warning: null });
  expect((await it.control.tokens({})).tokens).toMatchObject([{ id: made.id, for: ANA, state: 'good' }]);
  it.clock.advance({ hours: 1 });
  expect((await it.control.tokens({})).tokens).toMatchObject([{ state: 'expired' }]);
  await it.control.tokenRevoke({ id: made.id.slice(0, 6) });
  expect((await it.control.tokens({})).tokens).toMatchObject([{ state: 'revoked' }]);
  expect(it.events.map(({ event }) => event)).toEqual(['token.added', 'token.revoked']);
  expect(JSON.stringify([it.events, await it.control.tokens({})])).not.toContain(made.token);
});

test('whoever makes one is warned where it opens nothing, or is not needed', async () => {
  await using it = await world();
  const { warning } = await it.control.tokenAdd({ ...WANTED, for: 'eve@example.com' });
  expect(warning).toContain('not on the whitelist');
  await using open = await world({ requireToken: false });
  expect((await open.control.tokenAdd(WANTED)).warning).toContain('REQUIRE_TOKEN is off');
});

test('those of TOKEN_FILE are taken over, where there is one', async () => {
  await using it = await world();
  expect(await it.control.tokenImport({})).toMatchObject({ imported: 1 });
  const again = await it.control.tokenImport({});
  expect(again).toMatchObject({ imported: 0 });
  // Without it, what it has is needed no more.
  expect(again.message).toContain('once REQUIRE_TOKEN=yes is there');
  expect((await it.control.tokens({})).tokens).toMatchObject([{ for: null, note: 'Ana' }]);
  const [taken] = (await it.control.tokens({})).tokens;
  const { message } = await it.control.tokenRevoke({ id: taken?.id ?? '' });
  expect(message).toContain('where TOKEN_FILE lists it still, it opens the door');
  await using none = await world({ doorTokens: null });
  expect(await none.control.tokenImport({}).catch(codeOf)).toBe('request.invalid');
});

test('a lock is shown and lifted', async () => {
  await using it = await world();
  for (const job of ['1', '2', '3', '4', '5']) await it.lockout.note(ANA, job, 1);
  expect((await it.control.lockouts({})).locks).toMatchObject([{ who: ANA }]);
  expect((await it.control.lockoutClear({ who: ANA })).message).toContain('may try again');
  expect((await it.control.lockoutClear({ who: ANA })).message).toContain('no lock');
  expect((await it.control.lockouts({})).locks).toEqual([]);
});
