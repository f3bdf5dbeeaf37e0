import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf } from '../../../node/platform/errors.ts';
import { shellCommand } from '../../../node/servers/shell-words.ts';

test('plain words go as they are, so that a forced command needs to understand no quotes', () => {
  const argv = [
    'parelha-remote',
    'release',
    '2001:db8::1',
    '2026-01-02T03:04:05Z',
    'abc123',
    'ana@example.com',
  ];
  expect(shellCommand(argv)).toBe(argv.join(' '));
  expect(shellCommand(['a', '--with-time', 'x=y', '/etc/a,b+c'])).toBe('a --with-time x=y /etc/a,b+c');
});

test('in front, what would be a variable is a program', () => {
  expect(shellCommand(['A=b', 'A=b'])).toBe("'A=b' A=b");
});

test('sh makes of it the words that it was made of', () => {
  // eslint-disable-next-line no-control-regex
  const words = fc.array(fc.stringMatching(/^[^\u0000-\u001F\u007F\uD800-\uDFFF]*$/u), {
    minLength: 1,
    maxLength: 20,
  });
  const many = fc.sample(words, 300);
  const script = many.map((argv) => shellCommand(['printf', '%s\\n', ...argv])).join('\n');
  const said = execFileSync('/bin/sh', ['-s'], { input: script, encoding: 'utf8' });
  expect(said).toBe(many.map((argv) => argv.map((word) => `${word}\n`).join('')).join(''));
});

test.each([
  [[]],
  [['']],
  [['a', 'b\nc']],
  [['a', 'b\u0000c']],
  [['a', '\u001b[31m']],
  [['a', 'x'.repeat(40_000)]],
])('of %j nothing is made', (argv) => {
  let code = '';
  try {
    shellCommand(argv);
  } catch (error) {
    code = codeOf(error);
  }
  expect(code).toBe('server.argument');
});
