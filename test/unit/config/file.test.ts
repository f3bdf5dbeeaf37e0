import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { controlSocketPath, parseConfigText } from '../../../node/config/file.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { configText, loadFrom } from '../../support/config.ts';

const valueOf = (line: string): string | undefined => parseConfigText(line).entries[0]?.value;

describe('a line of the configuration', () => {
  test.each([
    ['KEY=value', 'value'],
    ['  KEY  =  value  ', 'value'],
    ['KEY=a=b', 'a=b'],
    ['KEY=a#b', 'a#b'],
    ['KEY=#b', '#b'],
    ['KEY=10 # ten', '10'],
    ['KEY=10\t# ten', '10'],
    ['KEY= # nothing', ''],
    ['KEY=', ''],
    ['KEY="a # b"', 'a # b'],
    ['KEY=\'it "is"\'   # quoted', 'it "is"'],
    ['KEY=" a "', ' a '],
    ["KEY=it's", "it's"],
    ['KEY=value\r', 'value'],
    ['\uFEFFKEY=value', 'value'],
  ])('%j has the value %j', (line, value) => {
    expect(valueOf(line)).toBe(value);
  });

  test.each([
    ['KEY="open', 'opens a quote'],
    ['KEY="a"b', 'text after the closing quote'],
    ['KEY=a\u0000b', 'control character'],
  ])('%j has a fault', (line, fault) => {
    expect(parseConfigText(line).entries[0]?.fault).toContain(fault);
  });

  test.each(['no equals sign', '=value', '1KEY=value', 'KEY NAME=value', 'CHAVE-1=x'])(
    '%j is told by its number alone',
    (line) => {
      expect(parseConfigText(`# first\n\n${line}\n`)).toEqual({ entries: [], stray: [3] });
    },
  );

  test('is counted in a file with CRLF, LF and a BOM', () => {
    const { entries } = parseConfigText('\uFEFF# a\r\nA=1\nB=2\r\n');
    expect(entries.map((entry) => [entry.key, entry.line])).toEqual([
      ['A', 2],
      ['B', 3],
    ]);
  });
});

describe('a password', () => {
  test('with a # after a blank must be quoted, because it could be a comment', async () => {
    const text = configText({ EMAIL_PASSWORD: 'blue #sky' });
    await expect(loadFrom(text)).rejects.toThrow(/EMAIL_PASSWORD: has a # after a blank.*quotes/);
    const { config } = await loadFrom(configText({ EMAIL_PASSWORD: '"blue #sky"' }));
    expect(config.mail.auth.password).toBe('blue #sky');
  });

  test('may hold = # and quotes elsewhere', async () => {
    const { config } = await loadFrom(configText({ EMAIL_PASSWORD: 'a=b#c"d\'e' }));
    expect(config.mail.auth.password).toBe('a=b#c"d\'e');
  });
});

describe('any text at all as a configuration file', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9!$%^&*~]{12,30}$/);
  const key = fc.constantFrom('EMAIL_PASSWORD', 'SMTP_PASSWORD', 'S3_SECRET_ACCESS_KEY');
  const other = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('PUBLISH=s3', 'MODE=both', 'IMAP_PORT=x', 'NODE_ID=audio', 'SOURCES=s3', 'WHITELIST=,'),
  );

  test('is loaded or refused with config.invalid, and no message holds a secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        secret,
        key,
        fc.array(other, { maxLength: 12 }),
        fc.constantFrom('', '"', "'", ' #', ' # x'),
        fc.boolean(),
        async (password, name, lines, around, complete) => {
          const set = `${name}=${around}${password}${around}`;
          const text = [...lines, set, ...(complete ? [configText({ EMAIL_PASSWORD: password })] : [])].join(
            '\n',
          );
          try {
            const { warnings } = await loadFrom(text, { own: { mode: 0o644 } });
            expect(warnings.join('\n')).not.toContain(password);
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
            expect((error as AppError).code).toBe('config.invalid');
            expect((error as AppError).message).not.toContain(password);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('never shows a value that stands under a wrong key or on a line of its own', async () => {
    const text = `${configText()}IMAP_PORT=hunter2hunter2\nEMAIL_PASWORD=hunter2hunter2\nhunter2hunter2\n`;
    await expect(loadFrom(text)).rejects.toThrow(/^(?![^]*hunter2)/);
  });
});

test('the control socket is where CONTROL_SOCKET says, else under STATE_DIR, from the directory of the file', () => {
  expect(controlSocketPath('/etc/p/node.conf', null, null)).toBe('/var/lib/parelha/control.sock');
  expect(controlSocketPath('/etc/p/node.conf', null, 'state')).toBe('/etc/p/state/control.sock');
  expect(controlSocketPath('/etc/p/node.conf', 'c.sock', '/state')).toBe('/etc/p/c.sock');
});
