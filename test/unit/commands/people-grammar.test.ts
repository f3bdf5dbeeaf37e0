import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJobId } from '../../../node/commands/job-id-grammar.ts';
import { createRegistry } from '../../../node/commands/registry.ts';
import {
  createWhitelistGrammar,
  WHITELIST_EXAMPLES,
  WHITELIST_FIELDS,
  whitelistParamsSchema,
} from '../../../node/commands/whitelist-grammar.ts';
import { hasFaultSentence } from '../../../node/replies/fault-sentences.ts';
import { faultsOf, namesOf, OPTIONS, ramais, simple } from './grammar-support.ts';

const grammar = createWhitelistGrammar({ servers: OPTIONS.servers, adminEmail: 'admin@example.com' });
const registry = createRegistry([
  ramais,
  simple('WHITELIST', { fields: WHITELIST_FIELDS, schema: whitelistParamsSchema, parse: grammar.parse }),
]);
const parse = (subject: string) => registry.parse(`WHITELIST ${subject}`.trim());

describe('WHITELIST', () => {
  test.each([
    ['', { action: 'list', address: null }],
    ['LIST', { action: 'list' }],
    ['listar', { action: 'list' }],
    [
      'ADD Ana@Example.com',
      { action: 'add', address: 'ana@example.com', role: 'operador', extensions: null },
    ],
    ['add: Ana Lima <ana@example.com>', { address: 'ana@example.com' }],
    ['incluir mailto:ana@example.com', { action: 'add', address: 'ana@example.com' }],
    ['ADD @cliente.example.com PAPEL=consulta', { address: '@cliente.example.com', role: 'consulta' }],
    ['ADD ana@example.com PAPEL=ADMIN', { role: 'admin' }],
    ['ADD ana@example.com RAMAIS=1121', { role: 'consulta', extensions: ['1121'] }],
    ['ADD ana@example.com PAPEL=operador RAMAIS=1121', { role: 'operador', extensions: ['1121'] }],
    ['ADD ana@example.com SERVER=GV1P,gv2p', { role: 'consulta', servers: ['gv1p', 'gv2p'] }],
    ['REMOVE ana@example.com.', { action: 'remove', address: 'ana@example.com', role: null }],
    ['excluir ana@example.com', { action: 'remove' }],
  ])('%s', (subject, params) => {
    const parsed = parse(subject);
    expect(parsed).toMatchObject({ ok: true, params });
    expect(whitelistParamsSchema.safeParse(parsed.ok ? parsed.params : null).success).toBe(true);
  });

  test.each([
    ['ana@example.com', ['WHITELIST whitelist-action']],
    ['ADD', ['WHITELIST address-invalid']],
    ['ADD ana', ['WHITELIST address-invalid']],
    ['ADD ana@example.com bia@example.com', ['WHITELIST address-invalid']],
    ['ADD *@example.com"; rm -rf / #', ['WHITELIST address-invalid']],
    ['ADD aná@example.com', ['WHITELIST address-invalid']],
    ['REMOVE Admin@example.com', ['WHITELIST first-admin']],
    ['ADD admin@example.com PAPEL=consulta', ['WHITELIST first-admin', 'PAPEL field-unknown'].slice(0, 1)],
    ['ADD ana@example.com PAPEL=chefe', ['PAPEL role-unknown']],
    ['ADD ana@example.com PAPEL=admin RAMAIS=1121', ['PAPEL admin-limited']],
    ['ADD @example.com PAPEL=admin', ['PAPEL admin-limited']],
    ['ADD ana@example.com RAMAIS=', ['RAMAIS field-empty']],
    ['ADD ana@example.com RAMAIS=11', ['RAMAIS extension-form']],
    ['ADD ana@example.com SERVER=gv9p', ['SERVER server-unknown']],
    ['ADD ana@example.com SERVER=', ['SERVER field-empty']],
    ['REMOVE ana@example.com RAMAIS=1121', ['RAMAIS field-unknown']],
    ['ADD ana@example.com PAPE=consulta', ['PAPE field-unknown']],
    ['ADD ana@example.com PAPEL=consulta PAPEL=admin', ['PAPEL field-repeated']],
  ])('%s is refused', (subject, faults) => {
    const parsed = parse(subject);
    expect(faultsOf(parsed)).toEqual(faults);
    if (parsed.ok) return;
    expect(registry.parse(parsed.corrected ?? '')).toMatchObject({ ok: true });
    for (const { code } of parsed.faults) expect([code, hasFaultSentence(code)]).toEqual([code, true]);
  });

  test.each(['RAMAIS=11', 'SERVER=nenhum', 'RAMAIS=x SERVER=gv1p', 'RAMAIS=1121 SERVER=zzz', 'RAMAIS='])(
    'a limit that cannot be read is never left out of the corrected subject: %s',
    (limit) => {
      const parsed = parse(`ADD ana@example.com ${limit}`);
      expect(parsed).toMatchObject({ ok: false, corrected: 'WHITELIST LIST' });
    },
  );

  test('its examples are subjects that parse', () => {
    for (const example of WHITELIST_EXAMPLES) expect(registry.parse(example)).toMatchObject({ ok: true });
  });

  test('whatever is written, what comes out parses, and parses to itself again', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'ADD',
        'REMOVE',
        'LIST',
        'ana@example.com',
        '@example.com',
        'PAPEL=',
        'admin',
        'consulta',
      ),
      fc.constantFrom('RAMAIS=1121', 'SERVER=gv1p', 'SERVER=', '1122', ',', '=', 'RAMAIS=', 'x'),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        const parsed = parse(words.join(' '));
        if (!parsed.ok) {
          expect(registry.parse(parsed.corrected ?? '').ok).toBe(true);
          return;
        }
        if (parsed.command.keyword !== 'WHITELIST') return;
        const params = whitelistParamsSchema.parse(parsed.params);
        expect(registry.parse(grammar.subjectOf(params))).toMatchObject({ ok: true, params });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the id of a request', () => {
  const read = (value: string) => parseJobId('CANCELAR', [{ key: 'CANCELAR', value }]);

  test.each([
    ['3f9a1c02d4e5', '3f9a1c02d4e5'],
    ['3F9A', '3f9a'],
    ['#3f9a1c02d4e5.', '3f9a1c02d4e5'],
    ['o pedido 3f9a1c02d4e5, por favor', '3f9a1c02d4e5'],
    ['o pedido “3f9a1c02d4e5” da cafe', '3f9a1c02d4e5'],
    ['3f9a 3f9a', '3f9a'],
    ['f'.repeat(64), 'f'.repeat(64)],
  ])('%s', (value, id) => {
    expect(read(value)).toEqual({ ok: true, params: { id } });
  });

  test.each([
    ['', 'field-empty'],
    ['3f9', 'job-id-form'],
    ['********', 'job-id-form'],
    ['../../etc', 'job-id-form'],
    ['3f9a1c02 4e5f6071', 'job-id-form'],
    ['f'.repeat(65), 'job-id-form'],
    ['$IFS;id', 'job-id-form'],
  ])('%j is none', (value, code) => {
    const parsed = read(value);
    expect(parsed.ok ? [] : namesOf(parsed.faults)).toEqual([`CANCELAR ${code}`]);
    expect(hasFaultSentence(code)).toBe(true);
    expect(parsed.ok ? '' : parsed.corrected).toMatch(/^CANCELAR=[0-9a-f]{4,64}$/);
  });
});
