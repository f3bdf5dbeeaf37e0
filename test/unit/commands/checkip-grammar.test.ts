import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CheckIpParams } from '../../../node/commands/checkip-grammar.ts';
import { createCheckIpGrammar } from '../../../node/commands/checkip-grammar.ts';
import { createRegistry } from '../../../node/commands/registry.ts';
import { sipServer } from '../../support/sip-server.ts';
import { faultsOf, ramais, simple } from './grammar-support.ts';

const SERVERS = [
  sipServer({ id: 'gv1p' }),
  sipServer({ id: 'gv2p' }),
  sipServer({ id: 'voip1', commands: ['MACCHANGE'] }),
  sipServer({ id: 'antigo', enabled: false }),
];
const grammar = createCheckIpGrammar(SERVERS);
const registry = createRegistry([
  ramais,
  simple('CHECKIP', {
    fields: grammar.fields,
    parse: grammar.parse,
    example: grammar.example,
  }),
]);

function paramsOf(subject: string): CheckIpParams {
  const parsed = registry.parse(subject);
  if (!parsed.ok) throw new Error(faultsOf(parsed).join(', '));
  return parsed.params as unknown as CheckIpParams;
}

describe('CHECKIP', () => {
  test.each([
    ['CHECKIP=203.0.113.9', { ip: '203.0.113.9', server: null, lookOnly: false }],
    ['CHECKIP=203.0.113.9 SERVER=gv1p', { ip: '203.0.113.9', server: 'gv1p', lookOnly: false }],
    [
      'Re: checkip = 203.0.113.9 servidor: GV1P modo=ver',
      { ip: '203.0.113.9', server: 'gv1p', lookOnly: true },
    ],
    ['CHECKIP=2001:DB8::9 MODO=Ver', { ip: '2001:db8::9', server: null, lookOnly: true }],
    ['CHECKIP=203.0.113.9 SERVER= MODO=', { ip: '203.0.113.9', server: null, lookOnly: false }],
    ['SERVER=gv2p CHECKIP=[2001:db8::9]', { ip: '2001:db8::9', server: 'gv2p', lookOnly: false }],
  ])('%j is understood', (subject, params) => {
    expect(paramsOf(subject)).toEqual(params);
  });

  test.each([
    ['CHECKIP=', ['CHECKIP field-empty'], 'CHECKIP=203.0.113.9'],
    ['CHECKIP=10.0.0.1', ['CHECKIP ip-private'], 'CHECKIP=203.0.113.9'],
    ['CHECKIP=198.51.100.7/32', ['CHECKIP ip-network'], 'CHECKIP=198.51.100.7'],
    ['CHECKIP=198.51.100.7:5060', ['CHECKIP ip-nonsense'], 'CHECKIP=198.51.100.7'],
    ['CHECKIP=198.51.100.7 e 198.51.100.8', ['CHECKIP ip-nonsense'], 'CHECKIP=203.0.113.9'],
    ['CHECKIP=198.51.100.7 SERVER=gv9p', ['SERVER server-unknown'], 'CHECKIP=198.51.100.7'],
    ['CHECKIP=198.51.100.7 SERVER=antigo', ['SERVER server-disabled'], 'CHECKIP=198.51.100.7'],
    ['CHECKIP=198.51.100.7 SERVER=voip1', ['SERVER server-without-command'], 'CHECKIP=198.51.100.7'],
    ['CHECKIP=198.51.100.7 MODO=XYZ', ['MODO mode-unknown'], 'CHECKIP=198.51.100.7 MODO=VER'],
    ['CHECKIP=198.51.100.7 CHECKIP=198.51.100.8', ['CHECKIP field-repeated'], 'CHECKIP=198.51.100.7'],
    [
      'CHECKIP=nada SERVER=gv9x MODO=XYZ',
      ['CHECKIP ip-nonsense', 'SERVER server-unknown', 'MODO mode-unknown'],
      'CHECKIP=203.0.113.9 MODO=VER',
    ],
  ])('%j is refused with all that is wrong, and a subject that is right', (subject, faults, corrected) => {
    const parsed = registry.parse(subject);
    expect(faultsOf(parsed)).toEqual(faults);
    expect(parsed.ok ? '' : parsed.corrected).toBe(corrected);
  });

  test('every corrected subject parses, and every subject of its own parses to the same', () => {
    const value = fc.oneof(
      fc.string(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('gv1p', 'antigo', 'VER', '203.0.113.9', '203.0.113.9/24'),
    );
    const field = fc.tuple(fc.constantFrom('CHECKIP', 'SERVER', 'MODO', 'IP', 'MODOS'), value);
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const subject = `CHECKIP=${fields.map(([key, text]) => `${key}=${text}`).join(' ')}`;
        const parsed = registry.parse(subject);
        if (!parsed.ok)
          expect([parsed.corrected, faultsOf(registry.parse(parsed.corrected ?? ''))]).toEqual([
            parsed.corrected,
            [],
          ]);
        else expect(paramsOf(grammar.subjectOf(parsed.params as never))).toEqual(parsed.params);
      }),
    );
  });

  test('parameters of a peer are judged again', () => {
    const codes = (params: CheckIpParams) => grammar.recheck(params).map(({ code }) => code);
    expect(codes({ ip: '203.0.113.9', server: 'gv1p', lookOnly: false })).toEqual([]);
    expect(codes({ ip: '127.0.0.1', server: 'antigo', lookOnly: false })).toEqual([
      'ip-loopback',
      'server-disabled',
    ]);
    expect(grammar.schema.safeParse({ ip: '2001:DB8::9', server: null, lookOnly: false }).success).toBe(
      false,
    );
    expect(grammar.schema.safeParse({ ip: '203.0.113.9; id', server: null, lookOnly: false }).success).toBe(
      false,
    );
  });

  test('without SERVER it is about every enabled server that allows it', () => {
    const ids = (server: string | null) =>
      grammar.serversOf({ ip: '203.0.113.9', server, lookOnly: false }).map(({ id }) => id);
    expect(ids(null)).toEqual(['gv1p', 'gv2p']);
    expect(ids('gv2p')).toEqual(['gv2p']);
    expect(ids('voip1')).toEqual([]);
  });

  test('where no server allows it, that is said', () => {
    const none = createCheckIpGrammar([sipServer({ enabled: false })]);
    const parsed = none.parse([{ key: 'CHECKIP', value: '203.0.113.9' }]);
    expect(parsed.ok ? [] : parsed.faults.map(({ code }) => code)).toEqual(['no-servers']);
  });
});
