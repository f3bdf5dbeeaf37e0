import { describe, expect, test } from 'vitest';
import { hashToken, newToken } from '../../../node/access/token-code.ts';
import { createTokenStore, type NewTokenOptions, type TokenStore } from '../../../node/access/token-store.ts';
import { codeOf } from '../../../node/platform/errors.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAccessStore } from '../../support/memory-access-store.ts';

const ANA = 'ana@example.com';

function world() {
  const store = createMemoryAccessStore();
  const clock = fixedClock();
  return { store, clock, tokens: createTokenStore(store, clock) };
}

function add(
  tokens: TokenStore,
  change: Partial<NewTokenOptions> = {},
): Promise<{ readonly id: string; readonly token: string }> {
  return tokens.add({ for: ANA, expiresAt: null, singleUse: false, note: '', ...change }, 'node-ctl');
}

const inHours = (clock: FixedClock, hours: number): Temporal.Instant => clock.now().add({ hours });

describe('a new token', () => {
  test('is 8 hexadecimal digits with a letter among them, never the same', () => {
    const made = Array.from({ length: 500 }, newToken);
    for (const token of made) expect(token).toMatch(/^(?=.*[A-F])[0-9A-F]{8}$/);
    expect(new Set(made).size).toBe(500);
  });

  test('is stored as a salted hash, and nothing of it is left', async () => {
    const { store, tokens } = world();
    const { id, token } = await add(tokens);
    const kept = JSON.stringify(store.list('token:'));
    expect(kept).toContain(id);
    expect(kept.toUpperCase()).not.toContain(token);
    const [one, other] = [await hashToken(token, '00'.repeat(16)), await hashToken(token, '11'.repeat(16))];
    expect(one).not.toBe(other);
    expect(JSON.stringify(tokens.list())).not.toMatch(/hash|salt/);
  });
});

describe('a stored token', () => {
  test('opens to whom it is for, and to nobody else', async () => {
    const { tokens } = world();
    const { id, token } = await add(tokens);
    expect(await tokens.find([token], ANA, 'job')).toBe(id);
    expect(await tokens.find(['00000000', token.toLowerCase()], 'ANA@example.com', 'job')).toBe(id);
    expect(await tokens.find([token], 'bia@example.com', 'job')).toBeNull();
    expect(await tokens.find(['00000000'], ANA, 'job')).toBeNull();
    expect(await tokens.find([], ANA, 'job')).toBeNull();
  });

  test('opens no more once its time is over', async () => {
    const { tokens, clock } = world();
    const { token } = await add(tokens, { expiresAt: inHours(clock, 1) });
    clock.advance({ minutes: 59 });
    expect(await tokens.find([token], ANA, 'job')).not.toBeNull();
    clock.advance({ minutes: 1 });
    expect(await tokens.find([token], ANA, 'job')).toBeNull();
  });

  test('opens no more once it is revoked, by the beginning of its id', async () => {
    const { tokens } = world();
    const { id, token } = await add(tokens);
    expect(await tokens.revoke(id.slice(0, 6), 'node-ctl')).toMatchObject({ id, enabled: false });
    expect(await tokens.find([token], ANA, 'job')).toBeNull();
    expect(await tokens.revoke('ffff00', 'node-ctl').catch(codeOf)).toBe('job.not-found');
  });

  test('that is good once opens to the job that used it, though its time is over since', async () => {
    const { tokens, clock } = world();
    const { id, token } = await add(tokens, { singleUse: true, expiresAt: inHours(clock, 1) });
    await tokens.use(id, 'first');
    await tokens.use(id, 'second');
    clock.advance({ hours: 2 });
    expect(await tokens.find([token], ANA, 'first')).toBe(id);
    expect(await tokens.find([token], ANA, 'second')).toBeNull();
    expect(tokens.list()).toMatchObject([{ usedBy: 'first' }]);
  });

  test('that is good for ever is not used up', async () => {
    const { tokens } = world();
    const { id, token } = await add(tokens);
    await tokens.use(id, 'first');
    expect(await tokens.find([token], ANA, 'second')).toBe(id);
  });

  test('counts where the other node made it, and not where its word is damaged', async () => {
    const { tokens, store } = world();
    const { id, token } = await add(tokens);
    const other = createMemoryAccessStore('audio2');
    await other.merge(store.list('token:'));
    expect(await createTokenStore(other, fixedClock()).find([token], ANA, 'job')).toBe(id);
    await other.put(`token:${id}`, { for: ANA, hash: 'x' }, 'nobody');
    expect(await createTokenStore(other, fixedClock()).find([token], ANA, 'job')).toBeNull();
  });

  test('of the peer with a time that cannot be read opens nothing, and stops nothing', async () => {
    const { tokens, store } = world();
    const { id, token } = await add(tokens);
    const value = store.get(`token:${id}`)?.value as Record<string, unknown>;
    const expiresAt = '2027-03-02T11:00:00.1234567890Z';
    await store.put('token:000000000000', structuredClone({ ...value, for: null, expiresAt }) as never, 'x');
    expect(await tokens.find([token], ANA, 'job')).toBe(id);
  });

  test('costs no more time than some seconds, whatever the peer tells of', async () => {
    const { tokens, store } = world();
    const { id } = await add(tokens);
    const value = store.get(`token:${id}`)?.value as Record<string, unknown>;
    for (let n = 0; n < 1_000; n += 1) {
      const salt = n.toString(16).padStart(4, '0');
      await store.put(`token:${salt}`, structuredClone({ ...value, salt }) as never, 'x');
    }
    const begun = performance.now();
    expect(await tokens.find(['00000000'], ANA, 'job')).toBeNull();
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  test('there are at most twenty of a person that open, and old ones are forgotten', async () => {
    const { tokens, clock, store } = world();
    for (let n = 0; n < 20; n += 1) await add(tokens, { expiresAt: inHours(clock, 1) });
    expect(await add(tokens).catch(codeOf)).toBe('access.too-many');
    clock.advance({ hours: 2 });
    await add(tokens);
    expect(tokens.list()).toHaveLength(21);
    clock.advance({ hours: 24 * 91 });
    await add(tokens);
    expect(tokens.list()).toHaveLength(2);
    expect(store.list('token:').filter(({ value }) => value === null)).toHaveLength(20);
  });
});

describe('tokens of TOKEN_FILE', () => {
  const FILE = [
    { token: 'A1B2C3D4', note: 'Ana' },
    { token: '00112233', note: '' },
  ];

  test('are taken over for anybody, each once', async () => {
    const { tokens, store } = world();
    expect(await tokens.importAll(FILE, 'node-ctl')).toBe(2);
    expect(await tokens.importAll([...FILE, { token: 'FFFFFFFF', note: '' }], 'node-ctl')).toBe(1);
    expect(await tokens.find(['00112233'], 'bia@example.com', 'job')).not.toBeNull();
    expect(tokens.list().map((token) => [token.for, token.note])).toContainEqual([null, 'Ana']);
    expect(JSON.stringify(store.list('token:'))).not.toContain('A1B2C3D4');
  });

  test('stay revoked when they are taken over again', async () => {
    const { tokens } = world();
    await tokens.importAll(FILE, 'node-ctl');
    const found = await tokens.find(['A1B2C3D4'], ANA, 'job');
    await tokens.revoke(found ?? '', 'node-ctl');
    expect(await tokens.importAll(FILE, 'node-ctl')).toBe(0);
    expect(await tokens.find(['A1B2C3D4'], ANA, 'job')).toBeNull();
  });
});
