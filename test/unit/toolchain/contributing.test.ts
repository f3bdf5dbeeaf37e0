import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');

test('the command that CONTRIBUTING shows is the one that is there', async () => {
  const [text, code] = await Promise.all(
    ['CONTRIBUTING.md', 'node/commands/queue-command.ts'].map((file) => readFile(join(ROOT, file), 'utf8')),
  );
  const shown = /```ts\n(?<code>[\s\S]*?)\n```/.exec(text ?? '')?.groups?.['code'] ?? 'nothing';
  expect(code?.slice(code.indexOf('export interface')).trim()).toBe(shown);
});
