import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { declaredNeeds, missingOf, type Requirement, serversAreRequired } from './support/requirements.ts';
import { runChecks, UNIT_TESTS } from './toolchain/checks.ts';
import { installMissing, programs } from './toolchain/debian.ts';
import { paint, ROOT, runTask, say, type TaskResult } from './toolchain/tasks.ts';
import {
  add,
  filesNotRun,
  lastLine,
  NOTHING,
  readReport,
  type Report,
  type Tally,
  tallyOf,
} from './toolchain/tally.ts';

/** A million cases, well under a minute of one core. */
const FUZZ = ['test/fuzz/main.ts', '--cases', '1000000'];

/**
 * `npm test`: the checks, a million cases of made-up input for the parsers, then the suites on real servers. Suites
 * whose servers this machine has not are skipped and named at the end. `-- --install`, or CI=true, installs what is missing, and then a suite that did not run is a failure.
 */
async function main(directory: string): Promise<number> {
  const needed = declaredNeeds(join(ROOT, 'test/real'));
  const all = [...new Set([...needed.values()].flat())];
  if (serversAreRequired()) await installMissing(all);

  say(paint('bold', 'Checks'));
  const unitReport = join(directory, 'unit.json');
  const results = await runChecks({ fix: false, unitReport });
  const unitsPassed = results.find((result) => result.name === UNIT_TESTS)?.passed ?? false;
  const units = countOf(await readReport(unitReport), unitsPassed);
  // Unit tests count by themselves; any other check that failed counts as one.
  const broken = results.filter((result) => !result.passed && result.name !== UNIT_TESTS).length;
  let total = add(units, { ...NOTHING, failed: broken });

  say(paint('bold', '\nMade-up input'));
  const fuzz = await runTask({ name: 'fuzz', program: process.execPath, args: FUZZ }, true);
  if (!fuzz.passed) total = add(total, { ...NOTHING, failed: 1 });

  if (needed.size > 0) {
    say(paint('bold', '\nReal servers'));
    const realReport = join(directory, 'real.json');
    const { passed } = await runReal(realReport);
    const real = await readReport(realReport);
    total = add(total, countOf(real, passed));
    if (serversAreRequired()) total = add(total, { ...NOTHING, failed: failSilent(real) });
  }
  sayWhatDidNotRun(needed);
  if (total.passed + total.failed === 0) total = { ...total, failed: 1 };
  say(`\n${lastLine(total)}`);
  return total.failed === 0 ? 0 : 1;
}

async function runReal(report: string): Promise<TaskResult> {
  const args = [
    'run',
    '--project',
    'real',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  return runTask({ name: 'real servers', program: 'vitest', args }, true);
}

/** A run that left no report has failed, and so has one that says so although no test did (an unhandled error). */
function countOf(report: Report | null, passed: boolean): Tally {
  const tally = report === null ? NOTHING : tallyOf(report);
  return passed || tally.failed > 0 ? tally : { ...tally, failed: 1 };
}

/** Where servers are required, a file none of whose tests ran is a failure; gives how many there are. */
function failSilent(report: Report | null): number {
  const silent = report === null ? [] : filesNotRun(report);
  for (const file of silent) say(`${paint('red', '✗')} no test of ${relative(ROOT, file)} was run`);
  return silent.length;
}

/** The loud end of a run on a machine that lacks servers. */
function sayWhatDidNotRun(needed: ReadonlyMap<string, readonly Requirement[]>): void {
  const blocked = [...needed].flatMap(([file, names]) => {
    const missing = missingOf(names);
    return missing.length === 0 ? [] : [`  test/real/${file}  (not here: ${programs(missing)})`];
  });
  if (blocked.length === 0) return;
  const rule = '!'.repeat(88);
  say(
    paint(
      ['bold', 'yellow'],
      [
        `\n${rule}`,
        `  ${blocked.length} of ${needed.size} suites on real servers DID NOT RUN on this machine:`,
        ...blocked,
        '  This one command installs what they need (Debian packages, no service is started) and runs them:',
        '',
        '    npm test -- --install',
        rule,
      ].join('\n'),
    ),
  );
}

const flags = process.argv.slice(2);
if (flags.some((flag) => flag !== '--install')) {
  say('usage: npm test [-- --install]');
  process.exit(2);
}
if (flags.includes('--install')) process.env['TEST_REQUIRE_SERVERS'] = '1';
const directory = await mkdtemp(join(tmpdir(), 'parelha-test-'));
try {
  process.exitCode = await main(directory);
} finally {
  await rm(directory, { recursive: true, force: true });
}
