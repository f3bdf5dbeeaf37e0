import { describe, expect, test } from 'vitest';
import { add, filesNotRun, lastLine, NOTHING, tallyOf } from '../../toolchain/tally.ts';

function report(
  ...files: { name: string; status: string; tests: string[] }[]
): Parameters<typeof tallyOf>[0] {
  return {
    testResults: files.map(({ name, status, tests }) => ({
      name,
      status,
      assertionResults: tests.map((outcome) => ({ status: outcome })),
    })),
  };
}

describe('the count of a test run', () => {
  test('adds up tests over files', () => {
    const counted = tallyOf(
      report(
        { name: 'a', status: 'failed', tests: ['passed', 'failed', 'failed'] },
        { name: 'b', status: 'passed', tests: ['passed', 'skipped', 'todo'] },
      ),
    );
    expect(lastLine(counted)).toBe('2 passed, 2 failed, 2 skipped');
  });

  test('counts a file that could not be loaded as a failure', () => {
    expect(tallyOf(report({ name: 'a', status: 'failed', tests: [] }))).toEqual({ ...NOTHING, failed: 1 });
  });

  test('counts a file whose set-up failed as a failure although its tests say skipped', () => {
    const counted = tallyOf(report({ name: 'a', status: 'failed', tests: ['skipped'] }));
    expect(counted).toEqual({ passed: 0, failed: 1, skipped: 1 });
  });

  test('names the files none of whose tests ran', () => {
    const silent = filesNotRun(
      report(
        { name: 'ran', status: 'passed', tests: ['passed', 'skipped'] },
        { name: 'silent', status: 'passed', tests: ['skipped', 'pending'] },
      ),
    );
    expect(silent).toEqual(['silent']);
  });

  test('of two runs is the sum of both', () => {
    const one = { passed: 1, failed: 2, skipped: 3 };
    expect(add(one, add(one, NOTHING))).toEqual({ passed: 2, failed: 4, skipped: 6 });
  });
});
