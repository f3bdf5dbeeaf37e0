import { describe, expect, test } from 'vitest';
import { createPeople } from '../../../node/access/people-store.ts';
import { createMemoryAccessStore, memoryPeople } from '../../support/memory-access-store.ts';

const ALL = { role: 'operador', extensions: null, servers: null } as const;

describe('the people of the configuration', () => {
  const people = memoryPeople(['Ana@Example.com', ' @voz.example.test ']);

  test.each([
    ['ana@example.com', 'operador'],
    [' ANA@example.COM', 'operador'],
    ['qualquer.um@voz.example.test', 'operador'],
    ['admin@example.com', 'admin'],
  ])('%s is %s', (address, role) => {
    expect(people.find(address)?.role).toBe(role);
    expect(people.allows(address)).toBe(true);
  });

  test.each([
    'bia@example.com',
    'x@sub.voz.example.test',
    '@voz.example.test',
    'voz.example.test',
    '',
    'ana@example.com@evil.example',
    'a na@example.com',
  ])('a stranger stays one: %j', (address) => {
    expect(people.find(address)).toBeNull();
    expect(people.allows(address)).toBe(false);
  });

  test.each(['ana', 'ana@', 'a@b c', '@', '*@example.com@'])(
    'an entry that is none is refused: %j',
    (entry) => {
      expect(() => memoryPeople([entry])).toThrow(expect.objectContaining({ code: 'access.whitelist' }));
    },
  );

  test('are listed by address, the first admin first among admins', async () => {
    const changed = memoryPeople(['ana@example.com']);
    await changed.put({ address: 'aaa@example.com', role: 'admin', extensions: null, servers: null }, 'x');
    expect(changed.list().map(({ address }) => address)).toEqual([
      'aaa@example.com',
      'admin@example.com',
      'ana@example.com',
    ]);
    expect(changed.admins()).toEqual(['admin@example.com', 'aaa@example.com']);
  });
});

describe('a change', () => {
  test('goes over the configuration, and says how it was before', async () => {
    const people = memoryPeople(['ana@example.com']);
    const change = await people.put(
      { address: 'ANA@example.com', role: 'consulta', extensions: ['1122', '1121', '1121'], servers: null },
      'admin@example.com',
    );
    expect(change).toMatchObject({
      changed: true,
      before: { ...ALL, added: null },
      after: { role: 'consulta', extensions: ['1121', '1122'], added: { by: 'admin@example.com' } },
    });
    expect(people.find('ana@example.com')).toEqual(change.after);
  });

  test('that changes nothing is none', async () => {
    const people = memoryPeople(['ana@example.com']);
    expect(await people.put({ address: 'ana@example.com', ...ALL }, 'x')).toMatchObject({ changed: false });
    expect(people.find('ana@example.com')?.added).toBeNull();
    expect(await people.remove('bia@example.com', 'x')).toEqual({
      changed: false,
      before: null,
      after: null,
    });
  });

  test('a removal goes over the configuration, by name also over that of a whole domain', async () => {
    const people = memoryPeople(['ana@example.com', '@voz.example.test']);
    await people.remove('ana@example.com', 'x');
    expect(await people.remove('bia@voz.example.test', 'x')).toMatchObject({
      changed: true,
      before: { address: 'bia@voz.example.test' },
    });
    expect(people.allows('ana@example.com')).toBe(false);
    expect(people.allows('bia@voz.example.test')).toBe(false);
    expect(people.allows('caio@voz.example.test')).toBe(true);
    await people.remove('@voz.example.test', 'x');
    expect(people.allows('caio@voz.example.test')).toBe(false);
    await people.put({ address: 'ana@example.com', ...ALL }, 'x');
    expect(people.allows('ana@example.com')).toBe(true);
  });

  test('of a domain lets no text in that merely ends with an address of it', () => {
    const people = memoryPeople(['@example.com']);
    for (const text of [
      'eve@evil.example, ana@example.com',
      'ana maria@example.com',
      '@example.com',
      '<ana@example.com',
    ])
      expect(people.find(text)).toBeNull();
    expect(people.allows(' Ana@Example.com ')).toBe(true);
  });

  test('is not got round by a tag in the address where the whole domain is let in', async () => {
    const people = memoryPeople(['@voz.example.test']);
    await people.remove('bia@voz.example.test', 'x');
    await people.put({ address: 'ana@voz.example.test', ...ALL, extensions: ['1121'] }, 'x');
    expect(people.find('bia+1@voz.example.test')).toBeNull();
    expect(people.find('ana+1@voz.example.test')).toBeNull();
    expect(people.allows('caio+1@voz.example.test')).toBe(true);
  });

  test.each(['put', 'remove'] as const)('the first admin cannot be changed by %s', async (how) => {
    const people = memoryPeople([]);
    const act =
      how === 'put'
        ? people.put({ address: 'Admin@example.com', ...ALL }, 'x')
        : people.remove('Admin@example.com', 'x');
    await expect(act).rejects.toMatchObject({ code: 'access.first-admin' });
  });

  test('of the peer, which has another first admin, does not take this one’s rights', async () => {
    const store = createMemoryAccessStore();
    const people = memoryPeople([], 'admin@example.com', store);
    await store.put('person:admin@example.com', null, 'outro@example.com');
    expect(people.find('admin@example.com')?.role).toBe('admin');
  });

  test.each([
    { address: '@example.com', extensions: null, servers: null },
    { address: 'ana@example.com', extensions: ['1121'], servers: null },
    { address: 'ana@example.com', extensions: null, servers: ['gv1p'] },
  ])('an admin is one address without limits: %j', async (person) => {
    await expect(memoryPeople([]).put({ ...person, role: 'admin' }, 'x')).rejects.toMatchObject({
      code: 'access.admin',
    });
  });

  test.each(['@example.com', 'ana', 'ana,eve@example.com', 'Ana<ana@example.com'])(
    'a record of the peer makes no admin of %s, to whom no mail could be sent',
    async (address) => {
      const store = createMemoryAccessStore();
      await store.put(`person:${address}`, { role: 'admin', extensions: null, servers: null }, 'x');
      const people = memoryPeople([], 'admin@example.com', store);
      expect(people.admins()).toEqual(['admin@example.com']);
    },
  );

  test('a record that nobody understands lets nobody in', async () => {
    const store = createMemoryAccessStore();
    await store.put('person:ana@example.com', { role: 'imperador', extensions: null, servers: null }, 'x');
    const people = createPeople({ store, whitelist: ['ana@example.com'], adminEmail: 'admin@example.com' });
    expect(people.find('ana@example.com')).toBeNull();
  });
});
