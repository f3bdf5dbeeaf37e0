import { readFile } from 'node:fs/promises';
import * as z from 'zod';

/** What we read of vitest's JSON report (its `json` reporter; the format is Jest's). */
const reportSchema = z.looseObject({
  testResults: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.looseObject({ status: z.string() })),
    }),
  ),
});
export type Report = z.infer<typeof reportSchema>;

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0 };

/** Reads a report; null where the run ended before it could write one. */
export async function readReport(path: string): Promise<Report | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : reportSchema.parse(JSON.parse(text));
}

/** Counts the tests of a report. A file that failed without a failed test (it could not be loaded) counts as one. */
export function tallyOf(report: Report): Tally {
  let tally = NOTHING;
  for (const file of report.testResults) {
    const count = (...statuses: string[]): number =>
      file.assertionResults.filter((test) => statuses.includes(test.status)).length;
    const failed = count('failed');
    tally = add(tally, {
      passed: count('passed'),
      failed: failed === 0 && file.status === 'failed' ? 1 : failed,
      skipped: count('skipped', 'pending', 'todo', 'disabled'),
    });
  }
  return tally;
}

/** Files of a report in which no test was run. */
export function filesNotRun(report: Report): string[] {
  return report.testResults
    .filter((file) => file.status !== 'failed')
    .filter(
      (file) => !file.assertionResults.some((test) => test.status === 'passed' || test.status === 'failed'),
    )
    .map((file) => file.name);
}

export function add(one: Tally, other: Tally): Tally {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

/** The last line of `npm test`; CI reads it. */
export function lastLine(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`;
}
