import { expect, test } from 'vitest';
import type { PersonEntry } from '../../../node/listeners/control-people.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { fakeNodeControl } from '../../support/node-control.ts';
import { nodeCtlAgainst } from '../../support/run-node-ctl.ts';

const PEOPLE: PersonEntry[] = [
  { address: 'admin@example.com', role: 'admin', extensions: null, servers: null, added: null },
  {
    ...{ address: 'ana@example.com', role: 'consulta', extensions: ['1121', '1122'], servers: ['gv1p'] },
    added: { by: 'admin@example.com', at: '2026-03-02T12:00:00Z' },
  },
];

async function nodeCtl(args: readonly string[]) {
  const asked: unknown[] = [];
  const changed = async (params: { address: string }) => {
    asked.push(params);
    if (!params.address.includes('@')) throw new AppError('request.invalid', 'no address');
    return { changed: true, message: 'changed so' };
  };
  const control = fakeNodeControl({
    people: async () => ({ people: PEOPLE }),
    ...{ putPerson: changed, removePerson: changed },
  });
  return { ...(await nodeCtlAgainst(control, args)), asked };
}

test('people list shows who may ask for what, and who let them in', async () => {
  const { code, out } = await nodeCtl(['people', 'list']);
  expect(code).toBe(0);
  expect(out).toMatch(/admin@example\.com +admin +all +all +the configuration/);
  expect(out).toMatch(/ana@example\.com +consulta +1121,1122 +gv1p +admin@example\.com, /);
});

test.each([
  [['add', 'ana@example.com'], { role: 'operador', extensions: null, servers: null }],
  [
    ['add', 'ana@example.com', '--extensions', '1121'],
    { role: 'consulta', extensions: ['1121'], servers: null },
  ],
  [
    ['add', 'ana@example.com', '--role', 'consulta', '--extensions', '1121, 1122', '--servers', 'gv1p'],
    { role: 'consulta', extensions: ['1121', '1122'], servers: ['gv1p'] },
  ],
  [['remove', 'ana@example.com'], {}],
])('people %s says what was done', async (args, params) => {
  const { code, out, asked } = await nodeCtl(['people', ...args]);
  expect([code, out]).toEqual([0, 'changed so\n']);
  expect(asked).toEqual([{ address: 'ana@example.com', ...params }]);
});

test.each([
  ['an unknown role', ['add', 'ana@example.com', '--role', 'chefe'], 'choices'],
  ['a limit to nothing', ['add', 'ana@example.com', '--extensions', ' , '], 'at least one'],
  ['no address', ['remove', 'ana'], 'no address'],
  ['nobody', ['add'], 'missing required argument'],
])('people with %s is refused with exit code 2', async (_, args, said) => {
  const { code, err } = await nodeCtl(['people', ...args]);
  expect([code, err.includes(said)]).toEqual([2, true]);
});
