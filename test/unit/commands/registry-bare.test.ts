import { describe, expect, test } from 'vitest';
import { parseBare } from '../../../node/commands/bare-grammar.ts';
import { parseJobId } from '../../../node/commands/job-id-grammar.ts';
import { createRegistry } from '../../../node/commands/registry.ts';
import { createWhitelistGrammar, WHITELIST_FIELDS } from '../../../node/commands/whitelist-grammar.ts';
import { faultsOf, OPTIONS, ramais, simple } from './grammar-support.ts';

const RANGE = 'INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00';
const whitelist = createWhitelistGrammar({ servers: OPTIONS.servers, adminEmail: 'admin@example.com' });
const bare = (keyword: string) =>
  simple(keyword, { bare: true, parse: (fields) => parseBare(keyword, fields) });
const ofJob = (keyword: string, others: string[]) =>
  simple(keyword, {
    bare: true,
    fields: { [keyword]: others },
    parse: (fields) => parseJobId(keyword, fields),
  });
const registry = createRegistry([
  ramais,
  simple('CHECKIP', { fields: { SERVER: ['SERVIDOR'] } }),
  simple('WHITELIST', { fields: WHITELIST_FIELDS, parse: whitelist.parse }),
  bare('STATUS'),
  bare('FILA'),
  bare('AJUDA'),
  ofJob('CANCELAR', ['CANCELE']),
  ofJob('REENVIAR', ['REENVIE']),
]);
const keywordOf = (subject: string): string => {
  const parsed = registry.parse(subject);
  return parsed.ok ? parsed.command.keyword : `${parsed.command} ${faultsOf(parsed).join(', ')}`;
};

describe('a bare word', () => {
  test.each([
    ['status', 'STATUS'],
    ['Re: FILA', 'FILA'],
    ['Fila, por favor', 'FILA'],
    ['Ajuda!', 'AJUDA'],
    ['Oi. Status?', 'STATUS'],
    ['Status da fila', 'STATUS'],
    ['ajuda com a fila', 'AJUDA'],
    ['AJUDA RAMAIS', 'AJUDA'],
    ['status dos ramais', 'STATUS'],
    ['CANCELAR=3f9a1c02d4e5', 'CANCELAR'],
    ['Cancelar o pedido 3f9a1c02d4e5 da fila', 'CANCELAR'],
    ['favor reenviar 3f9a1c02d4e5', 'REENVIAR'],
  ])('asks for its command: %s', (subject, keyword) => {
    expect(keywordOf(subject)).toBe(keyword);
  });

  test.each([
    `Fila de gravações RAMAIS=1121 ${RANGE}`,
    `Favor reenviar: RAMAIS=1121 ${RANGE}`,
    `status? RAMAIS 1121 ${RANGE}`,
    `Preciso de ajuda. RAMAIS=1121 ${RANGE}`,
    `Cancele o anterior, fila errada. RAMAIS=1121 ${RANGE}`,
  ])('in the text of another request is just a word: %s', (subject) => {
    expect(registry.parse(subject)).toMatchObject({
      ok: true,
      command: { keyword: 'RAMAIS' },
      params: { extensions: ['1121'] },
    });
  });

  test('takes nothing away from a value it stands in', () => {
    const parsed = registry.parse(`RAMAIS=1121 fila 1122 ${RANGE}`);
    expect(faultsOf(parsed)).toEqual(['RAMAIS extension-form']);
  });

  test('beside a misspelt command is not what was asked for', () => {
    expect(keywordOf(`RAMAS=1121 ${RANGE} e me diga a fila`)).toMatch(/^RAMAIS SUBJECT unknown-command/);
  });

  test('with fields wants more than it can give', () => {
    expect(registry.parse('STATUS SERVER=gv1p')).toMatchObject({ ok: false, corrected: 'STATUS' });
    expect(keywordOf('STATUS SERVER=gv1p')).toBe('STATUS SERVER field-unknown');
  });

  test('does not hide a second command that changes something', () => {
    expect(keywordOf('CANCELAR=3f9a1c02d4e5 REENVIAR=3f9a1c02d4e5')).toMatch(/^CANCELAR .*field-unknown/);
    expect(keywordOf('WHITELIST REMOVE ana@example.com CHECKIP=203.0.113.9')).toMatch(/two-commands/);
  });
});

describe('a command whose fields hold another’s keyword', () => {
  test('is one command', () => {
    expect(registry.parse('WHITELIST ADD ana@example.com RAMAIS=1122,1121 SERVIDOR=gv1p')).toMatchObject({
      ok: true,
      command: { keyword: 'WHITELIST' },
      params: { action: 'add', role: 'consulta', extensions: ['1121', '1122'], servers: ['gv1p'] },
    });
  });

  test('is not one with a third', () => {
    expect(keywordOf('WHITELIST ADD ana@example.com RAMAIS=1121 CHECKIP=203.0.113.9')).toMatch(
      /two-commands/,
    );
  });
});
