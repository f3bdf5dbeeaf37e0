import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecks } from './toolchain/checks.ts';
import { say } from './toolchain/tasks.ts';

/** `npm run check` (`-- --fix` formats): what must pass before a commit. Needs no server; takes under a minute. */
const [flag, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (flag !== undefined && flag !== '--fix')) {
  say('usage: npm run check [-- --fix]');
  process.exit(2);
}
const directory = await mkdtemp(join(tmpdir(), 'parelha-check-'));
try {
  const results = await runChecks({ fix: flag === '--fix', unitReport: join(directory, 'unit.json') });
  process.exitCode = results.every((result) => result.passed) ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
