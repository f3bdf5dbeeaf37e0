import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultSentence, fieldLabel, hasFaultSentence } from '../../../node/replies/fault-sentences.ts';

const ADDRESSES = ['private', 'loopback', 'link-local', 'multicast', 'cgnat', 'unspecified', 'reserved'];
const CODES = [
  ...[...ADDRESSES, 'mapped', 'network', 'nonsense'].map((why) => `ip-${why}`),
  ...['mode-unknown', 'no-servers', 'server-unknown', 'server-disabled', 'server-without-command'],
  ...[
    'mac-form',
    'mac-multicast',
    'mac-zero',
    'mac-broadcast',
    'macs-empty',
    'macs-equal',
    'extension-single',
  ],
  ...['whitelist-action', 'role-unknown', 'admin-limited', 'first-admin', 'job-id-form', 'limits-too-many'],
  ...['command-not-permitted', 'extension-not-permitted', 'extensions-needed', 'server-not-permitted'],
  ...['server-needed', 'not-allowed', 'address-invalid', 'field-missing', 'field-empty'],
];
const FIELDS = [
  'CHECKIP',
  'MODO',
  'MACCHANGE',
  'MACATUAL',
  'MACFUTURO',
  'WHITELIST',
  'PAPEL',
  'CANCELAR',
  'REENVIAR',
];

test('every fault of a command has a problem and what to do about it', () => {
  for (const code of CODES) {
    expect(hasFaultSentence(code), code).toBe(true);
    for (const field of FIELDS) {
      const { problem, fix } = faultSentence({ field, code, values: {} });
      for (const sentence of [problem, fix]) expect(sentence, code).toMatch(/^\S[^]*[.?]$/);
      expect(problem + fix, code).not.toMatch(/undefined|null|NaN/);
    }
  }
});

test('every field of a command has a name and a way to fill it in', () => {
  for (const field of FIELDS) {
    expect(fieldLabel(field)).not.toBe(field);
    expect(faultSentence({ field, code: 'field-missing', values: {} }).fix).not.toContain('Acrescente');
  }
});

test('an unknown server is told with what leaving SERVER out means, where it may be left out', () => {
  const fixOf = (values: Record<string, string | number>): string =>
    faultSentence({ field: 'SERVER', code: 'server-unknown', values }).fix;
  expect(fixOf({ value: 'gv9', known: 'gv1p', suggestion: 'gv1p' })).toBe(
    'Você quis dizer gv1p? Servidores que conheço: gv1p. Sem SERVER, o pedido vale para todos os servidores.',
  );
  expect(fixOf({ value: 'gv9', known: 'gv1p', needed: 1 })).toBe('Servidores que conheço: gv1p.');
});

test('a person with no command at all is not told an empty list', () => {
  const values = { command: 'MACCHANGE', known: '' };
  const { fix } = faultSentence({ field: 'SUBJECT', code: 'command-not-permitted', values });
  expect(fix).toContain('não permite nenhum comando');
});

test('no grammar gives a fault that the mails have no words for', async () => {
  const node = join(import.meta.dirname, '../../../node');
  const codes = new Set<string>();
  for await (const name of glob(
    ['commands/*grammar.ts', 'commands/extensions.ts', 'commands/permission.ts'],
    {
      cwd: node,
    },
  )) {
    const source = await readFile(join(node, name), 'utf8');
    for (const [, code = ''] of source.matchAll(/code: '([a-z-]+)'/g)) codes.add(code);
  }
  expect(codes.size).toBeGreaterThan(10);
  expect([...codes].filter((code) => !hasFaultSentence(code))).toEqual([]);
});
