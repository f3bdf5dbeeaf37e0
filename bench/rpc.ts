import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryDirectory } from '../test/support/process.ts';
import { table, writeFigures } from './latency/report.ts';
import type { Caller, Keys } from './rpc/contender.ts';
import { submission } from './rpc/jobs.ts';
import { makeKeys } from './rpc/keys.ts';
import { type Load, measure, medians } from './rpc/load.ts';
import { type ContenderName, CONTENDERS } from './rpc/server.ts';

/**
 * What a call between the nodes costs: ours beside a bare TLS server without authentication, and beside grpc-js with
 * certificates on both sides and the same token on every call. Each server in a process of its own, the callers in
 * this one, by turns. `node bench/rpc.ts [get|submit …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const GOAL_RATIO = 1.4;
const GOAL_GET_P50_MS = 0.25;
const IN_FLIGHT = [1, 32, 64];
const NAMES = Object.keys(CONTENDERS) as ContenderName[];
const KNOWN_JOB = 'known';

interface Part {
  /** Calls of a measurement, by calls in flight. */
  readonly count: (inFlight: number) => number;
  readonly call: (caller: Caller, name: string) => Promise<unknown>;
}

const PARTS: Readonly<Record<string, Part>> = {
  get: {
    count: (inFlight) => (inFlight === 1 ? 2_000 : 6_000),
    call: (caller) => caller.get({ id: submission(KNOWN_JOB).id }),
  },
  submit: {
    count: (inFlight) => (inFlight === 1 ? 150 : 400),
    call: (caller, name) => caller.submit(submission(name)),
  },
};

type Figures = Record<ContenderName, Load>;

async function startContender(
  name: ContenderName,
  keys: Keys,
  directory: string,
): Promise<{ child: ChildProcess; caller: Caller }> {
  const place = join(directory, name);
  await mkdir(place);
  const child = fork(join(import.meta.dirname, 'rpc/server.ts'), { stdio: 'inherit' });
  child.send({ name, keys, directory: place });
  const [port] = (await once(child, 'message')) as [number];
  return { child, caller: await CONTENDERS[name].connect(keys, port) };
}

/** Measures by turns, so that what else the machine does meets all alike; the first round warms up. */
async function compare(
  callers: Record<ContenderName, Caller>,
  part: string,
  inFlight: number,
  rounds: number,
): Promise<Figures> {
  const { count, call } = PARTS[part]!;
  const loads: Record<ContenderName, Load[]> = { ours: [], bare: [], grpc: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of NAMES) {
      const load = await measure(count(inFlight), inFlight, (index) =>
        call(callers[name], `${part} ${inFlight} ${round} ${index}`),
      );
      if (round > 0) loads[name].push(load);
    }
  }
  return { ours: medians(loads.ours), bare: medians(loads.bare), grpc: medians(loads.grpc) };
}

function rowsOf(inFlight: number, { ours, bare, grpc }: Figures): string[] {
  return [
    String(inFlight),
    ...[ours, bare, grpc].map(({ perSecond }) => perSecond.toFixed(0)),
    (ours.perSecond / bare.perSecond).toFixed(2),
    (ours.perSecond / grpc.perSecond).toFixed(2),
    ...[ours, bare, grpc].flatMap(({ p50Ms, p99Ms }) => [p50Ms.toFixed(3), p99Ms.toFixed(3)]),
  ];
}

const HEAD = [
  ['in flight', 'ours/s', 'bare/s', 'grpc/s', 'ours:bare', 'ours:grpc'],
  ['ours p50', 'p99', 'bare p50', 'p99', 'grpc p50', 'p99'],
].flat();

function verdict(what: string, passed: boolean, measured: string, goal: string): boolean {
  console.log(`${passed ? 'PASS' : 'FAIL'}: ${what} ${measured} (goal: ${goal})`);
  return passed;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  });
  const parts = Object.keys(PARTS).filter((part) => positionals.length === 0 || positionals.includes(part));
  await using directory = await temporaryDirectory();
  const keys = await makeKeys();
  const started = new Map<ContenderName, Awaited<ReturnType<typeof startContender>>>();
  try {
    for (const name of NAMES) started.set(name, await startContender(name, keys, directory.path));
    const callers = Object.fromEntries([...started].map(([name, { caller }]) => [name, caller])) as Record<
      ContenderName,
      Caller
    >;
    for (const name of NAMES) await callers[name].submit(submission(KNOWN_JOB));
    let passed = true;
    const figures: Record<string, Figures> = {};
    for (const part of parts) {
      console.log(`\njob.${part}: calls a second, their ratios, and milliseconds\n`);
      const rows: string[][] = [HEAD];
      for (const inFlight of IN_FLIGHT) {
        const measured = await compare(callers, part, inFlight, values.quick ? 3 : 9);
        figures[`${part} ${inFlight}`] = measured;
        rows.push(rowsOf(inFlight, measured));
      }
      console.log(table(rows));
    }
    for (const [name, { ours, grpc }] of Object.entries(figures)) {
      if (!name.startsWith('get')) continue;
      const ratio = ours.perSecond / grpc.perSecond;
      passed =
        verdict(
          `ours : grpc, job.${name} in flight`,
          ratio >= GOAL_RATIO,
          ratio.toFixed(2),
          `at least ${GOAL_RATIO}`,
        ) && passed;
    }
    const p50Ms = figures['get 1']?.ours.p50Ms;
    if (p50Ms !== undefined) {
      passed =
        verdict(
          'p50 of job.get',
          p50Ms <= GOAL_GET_P50_MS,
          `${p50Ms.toFixed(3)} ms`,
          `at most ${GOAL_GET_P50_MS} ms`,
        ) && passed;
    }
    if (values.json !== undefined) await writeFigures(values.json, 'rpc', figures);
    if (!passed) process.exitCode = 1;
  } finally {
    for (const { child, caller } of started.values()) {
      await caller.close();
      child.kill();
    }
  }
}

await main();
