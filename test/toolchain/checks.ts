import { runTasks, type Task, type TaskResult } from './tasks.ts';

/** As many as the smallest machine in use has cores; the linter and the compiler use both by themselves. */
const AT_ONCE = 2;

/** Name of the check that runs them. */
export const UNIT_TESTS = 'unit tests';

export interface CheckOptions {
  /** Formats instead of complaining about the format. */
  readonly fix: boolean;
  /** Where vitest's JSON report of the unit tests goes. */
  readonly unitReport: string;
}

/** The gate of every change: format, lint, types, dead code, unit tests. */
export async function runChecks(options: CheckOptions): Promise<TaskResult[]> {
  return runTasks(checks(options), AT_ONCE);
}

function checks({ fix, unitReport }: CheckOptions): Task[] {
  return [
    // The longest first, so that nothing waits for it at the end.
    {
      name: UNIT_TESTS,
      program: 'vitest',
      args: [
        'run',
        '--project',
        'unit',
        '--project',
        'alone',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${unitReport}`,
      ],
    },
    { name: 'types', program: 'tsc', args: ['-p', '.', '--pretty'] },
    {
      name: 'lint',
      program: 'oxlint',
      args: ['--type-aware', '--report-unused-disable-directives', '--deny-warnings'],
    },
    { name: 'unused code', program: 'knip', args: ['--no-config-hints'] },
    { name: 'format', program: 'oxfmt', args: fix ? ['.'] : ['--check', '.'] },
  ];
}
