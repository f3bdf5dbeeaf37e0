import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../../support/process.ts';
import { declaredNeeds, missingOf, needs } from '../../support/requirements.ts';

const REAL = resolve(import.meta.dirname, '../../real');

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('what suites on real servers need', () => {
  test('is declared by each of them, and none takes `test` from elsewhere', async () => {
    for (const file of declaredNeeds(REAL).keys()) {
      const source = await readFile(join(REAL, file), 'utf8');
      expect(source, file).toMatch(/\bneeds\(/);
      expect(source, file).not.toMatch(/import \{[^}]*\b(test|it|describe)\b[^}]*\} from 'vitest'/);
    }
  });

  test('is read from their source', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'a.test.ts'), "const { test } = needs('dovecot', 'exim');");
    await writeFile(join(directory.path, 'b.test.ts'), 'nothing');
    await writeFile(join(directory.path, 'helper.ts'), "needs('ceph')");
    expect([...declaredNeeds(directory.path)]).toEqual([
      ['a.test.ts', ['dovecot', 'exim']],
      ['b.test.ts', []],
    ]);
    await writeFile(join(directory.path, 'c.test.ts'), "needs('dovecott')");
    expect(() => declaredNeeds(directory.path)).toThrow('dovecott');
  });

  test('is missing where no directory of programs has it', () => {
    vi.stubEnv('PATH', '/nonexistent');
    expect(missingOf(['python', 'dovecot', 'chromium'])).toContain('chromium');
  });

  test('makes a suite fail where servers are required', () => {
    vi.stubEnv('PATH', '/nonexistent');
    vi.stubEnv('CI', 'true');
    expect(() => needs('chromium')).toThrow('npm test -- --install');
  });
});
