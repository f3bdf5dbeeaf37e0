import { beforeEach, describe, expect, test } from 'vitest';
import type { ChangeablePeople } from '../../../node/access/people.ts';
import { createPeopleControl, type PeopleControl } from '../../../node/listeners/control-people.ts';
import { createMemoryAcceptor, type MemoryAcceptor } from '../../support/memory-acceptor.ts';
import { memoryPeople } from '../../support/memory-access-store.ts';
import { createMemoryAudit, type MemoryAudit } from '../../support/memory-audit.ts';

const ANA = {
  address: 'Ana@example.com',
  role: 'consulta',
  extensions: ['1121'],
  servers: ['GV1P'],
} as const;
let people: ChangeablePeople;
let acceptor: MemoryAcceptor;
let audit: MemoryAudit;
let control: PeopleControl;

beforeEach(() => {
  people = memoryPeople(['maria@example.com']);
  acceptor = createMemoryAcceptor();
  audit = createMemoryAudit();
  control = createPeopleControl({ people, servers: ['gv1p', 'gv2p'], acceptor, audit });
});

const put = (change: object = {}) =>
  control.putPerson({ ...ANA, extensions: [...ANA.extensions], servers: [...ANA.servers], ...change });

describe('an operator', () => {
  test('lets somebody in, which is written down and told to the admins', async () => {
    expect(await put()).toMatchObject({
      changed: true,
      message: expect.stringContaining('ana@example.com') as string,
    });
    expect(people.find('ana@example.com')).toMatchObject({ role: 'consulta', servers: ['gv1p'] });
    expect(audit.events).toMatchObject([
      { event: 'person.added', person: 'ana@example.com', by: 'node-ctl' },
    ]);
    expect(acceptor.jobs.map(({ request }) => request.params)).toEqual([{ kind: 'whitelist-changed' }]);
  });

  test('is told where all is so already, and nobody else is', async () => {
    await put();
    expect(await put()).toMatchObject({ changed: false });
    expect([audit.events.length, acceptor.jobs.length]).toEqual([1, 1]);
  });

  test('changes the same person twice, and the admins are told of both', async () => {
    await put();
    await put({ role: 'operador' });
    await put();
    expect(acceptor.jobs).toHaveLength(3);
  });

  test('shuts somebody out', async () => {
    expect(await control.removePerson({ address: 'Maria@example.com' })).toMatchObject({ changed: true });
    expect(people.allows('maria@example.com')).toBe(false);
    expect(await control.removePerson({ address: 'maria@example.com' })).toMatchObject({ changed: false });
  });

  test('sees who may ask', async () => {
    expect((await control.people({})).people).toEqual([
      { address: 'admin@example.com', role: 'admin', extensions: null, servers: null, added: null },
      { address: 'maria@example.com', role: 'operador', extensions: null, servers: null, added: null },
    ]);
  });

  test.each([
    ['an address that is none', { address: 'ana' }],
    ['an unknown server', { servers: ['gv9p'] }],
    ['a limited admin', { role: 'admin' }],
    ['the first admin', { address: 'admin@example.com' }],
  ])('is refused %s', async (_, change) => {
    await expect(put(change)).rejects.toMatchObject({ code: 'request.invalid' });
    expect([audit.events, acceptor.jobs]).toEqual([[], []]);
  });
});
