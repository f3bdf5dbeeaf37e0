import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

test('every unit test that replaces a module or the network is named in vitest.config.ts, and no other', () => {
  const files = readdirSync(join(ROOT, 'test/unit'), { recursive: true, encoding: 'utf8' });
  const replacing = files
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/unit/${file}`)
    .filter((file) => /\bvi\.(?:do)?mock\(|\bsetupServer\(/.test(readFileSync(join(ROOT, file), 'utf8')));
  const [, named = ''] =
    /const ALONE = \[([^\]]*)\]/.exec(readFileSync(join(ROOT, 'vitest.config.ts'), 'utf8')) ?? [];
  const alone = [...named.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
  expect(alone.toSorted()).toEqual(replacing.toSorted());
});
