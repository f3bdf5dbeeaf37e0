import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, type } from 'node:os';
import { isMissing } from '../../node/platform/durable.ts';

/** Rows in columns: the first to the left, figures to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);

/** `PASS` or `FAIL` with what was measured and what was wanted. */
export function verdict(what: string, measuredMs: number, goalMs: number): { passed: boolean; line: string } {
  const passed = measuredMs <= goalMs;
  const line = `${passed ? 'PASS' : 'FAIL'}: ${what} ${ms(measuredMs)} ms (goal: at most ${ms(goalMs)} ms)`;
  return { passed, line };
}

/** Puts figures under a name into a JSON file, beside those of other benches that are there. */
export async function writeFigures(path: string, name: string, figures: unknown): Promise<void> {
  let known: Record<string, unknown> = {};
  try {
    known = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const machine = { cores: availableParallelism(), system: type(), node: process.version };
  await writeFile(path, `${JSON.stringify({ ...known, machine, [name]: figures }, null, 2)}\n`);
}
