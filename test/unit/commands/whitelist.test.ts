import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, BIA, createPeopleWorld, MARIA, type PeopleWorld } from '../../support/people-world.ts';

let world: PeopleWorld;
beforeEach(async () => {
  world = await createPeopleWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const changes = () => world.audit.events.filter(({ event }) => event.startsWith('person.'));
const notices = async () => {
  const jobs = await Promise.all(world.spool.ids(null).map((id) => world.spool.read(id)));
  return jobs.filter((job) => job?.request.params['kind'] === 'whitelist-changed');
};

describe('WHITELIST ADD', () => {
  test('lets somebody in at once, answers, tells the audit log and all admins', async () => {
    const job = await world.ask('WHITELIST ADD ana@example.com PAPEL=consulta RAMAIS=1121', ADMIN);
    expect(await world.work(job)).toMatchObject({ kind: 'done', summary: 'added ana@example.com' });
    expect(world.people.find('ana@example.com')).toMatchObject({
      role: 'consulta',
      extensions: ['1121'],
      added: { by: ADMIN },
    });
    expect(world.mails.map(({ kind }) => kind)).toEqual(['result']);
    expect(world.mails[0]?.mail.text).toContain('ana@example.com');
    expect(changes()).toEqual([
      {
        ...{ event: 'person.added', job: job.id, person: 'ana@example.com', by: ADMIN, before: null },
        after: { role: 'consulta', extensions: ['1121'], servers: null },
      },
    ]);
    expect((await notices()).map((notice) => notice?.details)).toEqual([
      { person: 'ana@example.com', before: 'sem acesso', after: 'consulta; ramais 1121', by: ADMIN },
    ]);
  });

  test.each([
    'whitelist:before done',
    'whitelist:change intent',
    'whitelist:change done',
    'whitelist:tell done',
  ])('broken off at %s, says the same afterwards, once', async (place) => {
    const job = await world.ask(`WHITELIST ADD ${MARIA} PAPEL=consulta`, ADMIN);
    world.crashAt = place;
    await expect(world.work(job)).rejects.toThrow('crashed');
    expect(await world.work(job)).toMatchObject({ summary: `changed ${MARIA}` });
    expect(world.mails).toHaveLength(1);
    expect(changes()).toHaveLength(1);
    expect(changes()[0]).toMatchObject({ before: { role: 'operador' }, after: { role: 'consulta' } });
    expect(await notices()).toHaveLength(1);
  });

  test('of somebody who is so already changes nothing and tells no admin', async () => {
    const job = await world.ask(`WHITELIST ADD ${MARIA}`, ADMIN);
    expect(await world.work(job)).toMatchObject({ summary: `unchanged ${MARIA}` });
    expect([changes(), await notices()]).toEqual([[], []]);
  });
});

describe('WHITELIST REMOVE', () => {
  test('shuts somebody out', async () => {
    const job = await world.ask(`WHITELIST REMOVE ${BIA}`, ADMIN);
    expect(await world.work(job)).toMatchObject({ summary: `removed ${BIA}` });
    expect(world.people.allows(BIA)).toBe(false);
    expect(changes()).toMatchObject([{ event: 'person.removed', before: { role: 'operador' }, after: null }]);
  });

  test('of nobody says so', async () => {
    const job = await world.ask('WHITELIST REMOVE ninguem@example.com', ADMIN);
    expect(await world.work(job)).toMatchObject({ summary: 'unchanged ninguem@example.com' });
    const text = world.mails[0]?.mail.text.replaceAll(/\s+/g, ' ');
    expect(text).toContain('ninguem@example.com não estava na lista de acesso');
    expect(text).not.toContain('Papel');
    expect(changes()).toEqual([]);
  });
});

test('WHITELIST LIST shows all', async () => {
  await world.work(await world.ask('WHITELIST', ADMIN));
  for (const address of [ADMIN, MARIA, BIA]) expect(world.mails[0]?.mail.text).toContain(address);
});

test('who was an admin when the mail came and is none when it is worked changes nothing', async () => {
  const second = { address: 'segundo@example.com', role: 'admin', extensions: null, servers: null } as const;
  await world.people.put(second, ADMIN);
  const job = await world.ask(`WHITELIST REMOVE ${MARIA}`, second.address);
  await world.people.put({ ...second, role: 'operador' }, ADMIN);
  await expect(world.work(job)).rejects.toMatchObject({ code: 'access.not-permitted', retriable: false });
  expect(world.people.allows(MARIA)).toBe(true);
});
