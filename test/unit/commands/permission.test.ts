import { describe, expect, test } from 'vitest';
import type { Person } from '../../../node/access/people.ts';
import { createPermission, permissionFaults } from '../../../node/commands/permission.ts';
import type { Touched } from '../../../node/commands/command.ts';
import { memoryPeople, ROLE_COMMANDS } from '../../support/memory-access-store.ts';

function person(change: Partial<Person> = {}): Person {
  return {
    address: 'ana@example.com',
    role: 'consulta',
    extensions: null,
    servers: null,
    added: null,
    ...change,
  };
}
const codes = (who: Person, keyword: string, touched: Touched | null): string[] =>
  permissionFaults(who, keyword, touched, ROLE_COMMANDS).map(({ field, code }) => `${field} ${code}`);

describe('a role', () => {
  test.each([
    ['consulta', 'CHECKIP', false],
    ['consulta', 'RAMAIS', true],
    ['operador', 'MACCHANGE', true],
    ['operador', 'WHITELIST', false],
    ['admin', 'WHITELIST', true],
    ['admin', 'MACCHANGE', true],
  ] as const)('%s asks for %s: %s', (role, keyword, may) => {
    expect(codes(person({ role }), keyword, null)).toEqual(may ? [] : ['SUBJECT command-not-permitted']);
  });

  test('is told which commands it may use', () => {
    const [fault] = permissionFaults(person(), 'CHECKIP', null, ROLE_COMMANDS);
    expect(fault?.values).toEqual({
      command: 'CHECKIP',
      known: 'RAMAIS, STATUS, FILA, CANCELAR, REENVIAR, AJUDA',
    });
  });

  test('is not let into the list of people by a configuration that names WHITELIST', () => {
    const generous = { operador: ['WHITELIST', 'RAMAIS'], consulta: [] };
    expect(permissionFaults(person({ role: 'operador' }), 'WHITELIST', null, generous)).toMatchObject([
      { code: 'command-not-permitted', values: { known: 'RAMAIS' } },
    ]);
  });
});

describe('a limit', () => {
  const limited = person({ extensions: ['1121', '1122'], servers: ['gv1p'] });

  test.each<[string, Touched | null, string[]]>([
    ['own ones', { extensions: ['1122', '1121'], servers: ['gv1p'] }, []],
    [
      'one of others',
      { extensions: ['1121', '3010'], servers: ['gv1p'] },
      ['RAMAIS extension-not-permitted'],
    ],
    ['another server', { extensions: ['1121'], servers: ['gv1p', 'gv2p'] }, ['SERVER server-not-permitted']],
    ['no server', { extensions: ['1121'], servers: null }, ['SERVER server-needed']],
    ['nothing', { extensions: null, servers: null }, ['RAMAIS extensions-needed', 'SERVER server-needed']],
    ['what is about no extension', { extensions: [], servers: [] }, []],
    ['what touches nothing', null, []],
    [
      'an extension that only begins so',
      { extensions: ['112'], servers: [] },
      ['RAMAIS extension-not-permitted'],
    ],
  ])('asked for %s', (_, touched, expected) => {
    expect(codes(limited, 'RAMAIS', touched)).toEqual(expected);
  });

  test('names what is refused and what is allowed', () => {
    const [fault] = permissionFaults(
      limited,
      'RAMAIS',
      { extensions: ['3010', '3011'], servers: [] },
      ROLE_COMMANDS,
    );
    expect(fault?.values).toEqual({ value: '3010, 3011', count: 2, known: '1121, 1122' });
  });

  test('of none at all allows none', () => {
    expect(codes(person({ extensions: [] }), 'RAMAIS', { extensions: ['1121'], servers: [] })).toEqual([
      'RAMAIS extension-not-permitted',
    ]);
  });
});

test('a stranger may ask for nothing, and people are judged as they are now', async () => {
  const people = memoryPeople(['ana@example.com']);
  const permission = createPermission(people, ROLE_COMMANDS);
  const command = { keyword: 'RAMAIS', touches: () => ({ extensions: ['1121'], servers: null }) };
  expect(permission.faultsOf('bia@example.com', command, {})).toMatchObject([{ code: 'not-allowed' }]);
  expect(permission.faultsOf('ana@example.com', command, {})).toEqual([]);
  await people.put(
    { address: 'ana@example.com', role: 'consulta', extensions: ['3010'], servers: null },
    'x',
  );
  expect(permission.faultsOf('ana@example.com', command, {})).toMatchObject([
    { code: 'extension-not-permitted' },
  ]);
});

test('who is limited to servers is told of no others, nor of one that is like a misspelt one', async () => {
  const people = memoryPeople(['ana@example.com', 'bia@example.com']);
  const permission = createPermission(people, ROLE_COMMANDS);
  const limits = { role: 'consulta', extensions: null, servers: ['gv1p'] } as const;
  await people.put({ address: 'ana@example.com', ...limits }, 'x');
  const values = { value: 'gv3p', known: 'gv1p, gv2p, voip1', suggestion: 'gv2p' };
  const told = {
    faults: [
      { field: 'SERVER', code: 'server-unknown', values },
      { field: 'FIM', code: 'field-missing', values: {} },
    ],
    corrected: 'RAMAIS=1121 SERVER=gv2p INICIO=27/10/2025',
  };
  expect(permission.shownTo('bia@example.com', told)).toEqual(told);
  const shown = permission.shownTo('ana@example.com', told);
  expect(shown.faults).toEqual([
    { field: 'SERVER', code: 'server-unknown', values: { value: 'gv3p', known: 'gv1p' } },
    told.faults[1],
  ]);
  expect(shown.corrected).toBeNull();
  const own = { faults: [], corrected: 'RAMAIS=1121 SERVER=gv1p' };
  expect(permission.shownTo('ana@example.com', own)).toEqual(own);
});
