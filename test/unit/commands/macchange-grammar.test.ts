import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMacChangeGrammar } from '../../../node/commands/macchange-grammar.ts';
import { createRegistry } from '../../../node/commands/registry.ts';
import { sipServer } from '../../support/sip-server.ts';
import { faultsOf, ramais, simple } from './grammar-support.ts';

const servers = [
  sipServer({ id: 'gv1p' }),
  sipServer({ id: 'gv2p' }),
  sipServer({ id: 'voip1', commands: ['CHECKIP'] }),
  sipServer({ id: 'antigo', enabled: false }),
];
const grammar = createMacChangeGrammar(servers);
const registryOf = (from: ReturnType<typeof createMacChangeGrammar>) =>
  createRegistry([
    ramais,
    {
      ...simple('MACCHANGE'),
      fields: from.fields,
      schema: from.schema,
      example: from.example,
      parse: from.parse,
    },
  ]);
const registry = registryOf(grammar);
const parse = (subject: string) => registry.parse(subject);

describe('MACCHANGE', () => {
  test.each([
    [
      'replaces',
      'MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO=000b82040599 SERVER=gv2p',
      '010203040506',
      '000b82040599',
    ],
    ['removes', 'MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO= SERVER=gv2p', '010203040506', null],
    ['adds', 'MACCHANGE=3010 MACATUAL= MACFUTURO=00:0B:82:04:05:99 SERVER=gv2p', null, '000b82040599'],
    [
      'is read in other words, with colons and commas',
      'Troca-MAC: 3010, MAC-ATUAL: nenhum, mac-novo: 000b.8204.0599, Servidor: GV2P',
      null,
      '000b82040599',
    ],
  ])('%s', (_, subject, from, to) => {
    expect(parse(subject)).toMatchObject({
      ok: true,
      params: { extension: '3010', from, to, server: 'gv2p' },
    });
  });

  test.each([
    ['MACCHANGE= MACATUAL= MACFUTURO=000b82040599 SERVER=gv2p', ['MACCHANGE field-empty']],
    ['MACCHANGE=3010 MACFUTURO=000b82040599 SERVER=gv2p', ['MACATUAL field-missing']],
    ['MACCHANGE=3010 MACATUAL=000b82040599 SERVER=gv2p', ['MACFUTURO field-missing']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO= SERVER=gv2p', ['MACFUTURO macs-empty']],
    [
      'MACCHANGE=3010 MACATUAL=000b82040599 MACFUTURO=00-0B-82-04-05-99 SERVER=gv2p',
      ['MACFUTURO macs-equal'],
    ],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=01005e000001 SERVER=gv2p', ['MACFUTURO mac-multicast']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000000000000 SERVER=gv2p', ['MACFUTURO mac-zero']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=ffffffffffff SERVER=gv2p', ['MACFUTURO mac-broadcast']],
    [
      'MACCHANGE=3010 MACATUAL=x MACFUTURO=$(reboot) SERVER=gv2p',
      ['MACATUAL mac-form', 'MACFUTURO mac-form'],
    ],
    ['MACCHANGE=3010,3011 MACATUAL= MACFUTURO=000b82040599 SERVER=gv2p', ['MACCHANGE extension-single']],
    ['MACCHANGE=30 MACATUAL= MACFUTURO=000b82040599 SERVER=gv2p', ['MACCHANGE extension-form']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599', ['SERVER field-missing']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=', ['SERVER field-empty']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=gv3p', ['SERVER server-unknown']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=voip1', ['SERVER server-without-command']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=antigo', ['SERVER server-disabled']],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=gv2p SERVER=gv1p', ['SERVER field-repeated']],
    ['MACCHANGE=3010 MACATUAL= MACFUTUR=000b82040599 SERVER=gv2p', ['MACFUTUR field-unknown']],
  ])('refuses %s, with a corrected subject that parses or none', (subject, faults) => {
    const parsed = parse(subject);
    expect(faultsOf(parsed)).toEqual(expect.arrayContaining(faults));
    const corrected = parsed.ok ? null : parsed.corrected;
    if (corrected !== null) expect(parse(corrected)).toMatchObject({ ok: true });
  });

  test.each([
    ['MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO=0102 SERVER=gv2p'],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO= SERVER=gv2p'],
    ['MACCHANGE=3010 MACATUAL=000b82040599 MACFUTURO=000b82040599 SERVER=gv2p'],
    ['MACCHANGE=30 MACATUAL= MACFUTURO=000b82040599 SERVER=gv2p'],
    ['MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=voip1'],
    ['MACCHANGE=3010 SERVER=gv2p'],
  ])('makes up neither extension nor MAC nor server: %s has no corrected subject', (subject) => {
    expect(parse(subject)).toMatchObject({ ok: false, corrected: null });
  });

  test('offers what was meant where all of it could be read', () => {
    const parsed = parse('MACCHANGE=3010 MACATUAL= MACFUTUR=00:0b:82:04:05:99 SERVER=GV2P');
    expect(parsed).toMatchObject({
      ok: false,
      corrected: 'MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=gv2p',
    });
  });

  test('is refused where no server allows it', () => {
    const none = registryOf(createMacChangeGrammar([servers[2]!]));
    expect(faultsOf(none.parse('MACCHANGE=3010 MACATUAL= MACFUTURO=000b82040599 SERVER=voip1'))).toEqual([
      'MACCHANGE no-servers',
    ]);
  });

  test('checks parameters that come by another door as a subject', () => {
    const good = { extension: '3010', from: null, to: '000b82040599', server: 'gv2p' };
    expect(grammar.recheck(good)).toEqual([]);
    for (const bad of [{ to: null }, { to: '010000000000' }, { server: 'voip1' }, { server: 'x' }]) {
      expect(grammar.recheck({ ...good, ...bad })).not.toEqual([]);
    }
    expect(grammar.schema.safeParse({ ...good, to: '00:0b:82:04:05:99' }).success).toBe(false);
  });

  test('is written as a subject and read again as the same', () => {
    const mac = fc.option(
      fc
        .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 10, maxLength: 10 })
        .map((rest) => `00${rest}`),
    );
    const params = fc.record({
      extension: fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 3, maxLength: 8 }),
      from: mac,
      to: mac,
      server: fc.constantFrom('gv1p', 'gv2p'),
    });
    fc.assert(
      fc.property(params, (given) => {
        fc.pre(given.from !== given.to && given.to !== '000000000000');
        expect(parse(grammar.subjectOf(given))).toMatchObject({ ok: true, params: given });
      }),
    );
  });

  test('whatever stands in its fields is refused, a corrected subject parses, or it is taken', () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('3010', '000b82040599', 'gv1p', '', 'nenhum'));
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const fields = [
          ['MACCHANGE', a],
          ['MACATUAL', b],
          ['MACFUTURO', c],
          ['SERVER', d],
        ] as const;
        const parsed = grammar.parse(fields.map(([key, text]) => ({ key, value: text })));
        const written = parsed.ok ? grammar.subjectOf(parsed.params) : parsed.corrected;
        if (written !== null) expect(parse(written)).toMatchObject({ ok: true });
      }),
    );
  });
});
