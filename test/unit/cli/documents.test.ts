import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runNodeCtl } from '../../../node/cli/program.ts';
import { systemClock } from '../../../node/platform/clock.ts';

const ROOT = join(import.meta.dirname, '../../..');
const DOCUMENTS = ['README.md', 'deploy/README_DEPLOY.md', ...markdownIn('docs')];
/** At the start of a line of a block, after a prompt or a path, or in backticks. */
const CALL = /(?:^[ \t]*(?:[\w-]*[#$] )?(?:deploy\/)?|`)node-ctl ([a-z][^`\n]*)/gm;

function markdownIn(directory: string): string[] {
  const names = readdirSync(join(ROOT, directory)).filter((name) => name.endsWith('.md'));
  return names.map((name) => join(directory, name));
}

/** What documents tell people to type, with the document that does. */
const calls = DOCUMENTS.flatMap((file) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(CALL)].flatMap(([, line = '']) =>
    alternatives(line.replace(/\s+#.*$/, '').split(/ && |; /)[0] ?? '').map((call) => ({ file, call })),
  ),
);

/** `pair rotate|remove` is two commands. */
function alternatives(line: string): string[] {
  const word = line.split(' ').find((one) => /^[a-z]+(\|[a-z]+)+$/.test(one));
  return word === undefined ? [line] : word.split('|').map((one) => line.replace(word, one));
}

async function helpOf(words: readonly string[]): Promise<string> {
  let said = '';
  await runNodeCtl([...words, '--help'], {
    out: (text) => (said += text),
    err: (text) => (said += text),
    errIsTerminal: false,
    env: {},
    clock: systemClock,
    interrupted: new AbortController().signal,
    exit: () => undefined,
  });
  return said;
}

test('documents name commands', () => {
  expect(calls.length).toBeGreaterThan(20);
});

test.each(calls)('node-ctl $call, as $file has it, is a command with these options', async ({ call }) => {
  const typed = call.trim().split(/\s+/);
  const words = typed.slice(0, 2).filter((word) => /^[a-z]+$/.test(word));
  const help = await helpOf(words);
  const [, path = ''] = /^Usage: node-ctl(.*)$/m.exec(help) ?? [];
  const command = path
    .trim()
    .split(' ')
    .filter((word) => /^[a-z]+$/.test(word));
  // A second word that is no command is an argument, where the command takes one.
  const isArgument = command.length === 1 && words.length === 2 && /<\w/.test(path);
  expect(isArgument ? words.slice(0, 1) : words, help).toEqual(command);
  for (const option of typed.filter((word) => word.startsWith('--'))) expect(help).toContain(option);
});
