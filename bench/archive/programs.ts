import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { childEnvironment } from '../../test/toolchain/tasks.ts';
import type { Measured, Order } from './contender.ts';

const run = promisify(execFile);
/** As deploy/parelha.service runs the node: the young objects of 70,000 recordings otherwise take 50 MB more. */
const AS_A_SERVICE = ['--max-semi-space-size=8'];

/** Programs of others, as a command that puts the files of the working directory into `$1`. */
export const PROGRAMS = {
  cat: 'cat -- * > "$1"',
  'zip -0': 'zip -q -0 "$1" -- *',
  'zip -1': 'zip -q -1 "$1" -- *',
  '7z -mx=0': '7z a -tzip -mx=0 -bso0 -bsp0 "$1" -- *',
  '7z -mx=1': '7z a -tzip -mx=1 -bso0 -bsp0 "$1" -- *',
  python: `python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
  for name in sys.argv[2:]: z.write(name)' "$1" *`,
} as const satisfies Record<string, string>;
export type Program = keyof typeof PROGRAMS;

/** Runs a command and tells how long it took and what it used, as the kernel says (getrusage(2)). */
const MEASURING = `
import json, resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(['sh', '-ec', *sys.argv[1:]], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = time.perf_counter() - begun
print(json.dumps({'seconds': seconds, 'cpuSeconds': used.ru_utime + used.ru_stime, 'peakMb': used.ru_maxrss / 1024}))
`;

/** Measures a program in a process of its own. `output` must not be there yet. */
export async function measureProgram(name: Program, directory: string, output: string): Promise<Measured> {
  const args = ['-c', MEASURING, PROGRAMS[name], 'sh', output];
  const { stdout } = await run('python3', args, { cwd: directory });
  const { size } = await stat(output);
  return { ...(JSON.parse(stdout) as Omit<Measured, 'bytes'>), bytes: size };
}

/** Measures one of those that run in Node in a process of its own; its start is not measured. */
export async function measureNode(order: Order): Promise<Measured> {
  const env = { ...childEnvironment(), BENCH_ARCHIVE_ORDER: JSON.stringify(order) };
  const program = join(import.meta.dirname, 'contender.ts');
  const { stdout } = await run(process.execPath, [...AS_A_SERVICE, program], { env });
  return JSON.parse(stdout) as Measured;
}
