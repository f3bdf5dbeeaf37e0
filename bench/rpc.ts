import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryDirectory } from '../test/support/process.ts';
import { table, writeFigures } from './latency/report.ts';
import type { Caller, Keys } from './rpc/contender.ts';
import { submission } from './rpc/jobs.ts';
import { makeKeys } from './rpc/keys.ts';
import { measure } from './rpc/load.ts';
import { type Comparison, compare, rowOf, ROW_HEAD } from './rpc/compare.ts';
import { type ContenderName, CONTENDERS } from './rpc/server.ts';

/**
 * What a call between the nodes costs: ours beside a bare TLS server without authentication, and beside grpc-js with
 * certificates on both sides and the same token on every call (signed by jose; `grpc+`: signed as ours). Each server in
 * a process of its own, the callers in this one, by turns.
 * `node bench/rpc.ts [get|submit …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const GOAL_RATIO = 1.4;
const GOAL_GET_P50_MS = 0.25;
const IN_FLIGHT = [1, 32, 64];
/** Until the code of both sides is compiled as it will be. */
const WARM_UP_CALLS = 10_000;
const ROUNDS = { whole: 9, quick: 5 };
const KNOWN = submission('known');
const ASKED = { id: KNOWN.id };

interface Part {
  /** Calls of a measurement, by calls in flight. */
  readonly count: (inFlight: number) => number;
  readonly call: (caller: Caller, name: string) => Promise<unknown>;
}

const PARTS: Readonly<Record<string, Part>> = {
  get: {
    count: (inFlight) => (inFlight === 1 ? 1_000 : 3_000),
    call: (caller) => caller.get(ASKED),
  },
  submit: {
    count: (inFlight) => (inFlight === 1 ? 60 : 200),
    call: (caller, name) => caller.submit(submission(name)),
  },
};

/** A contender's server in its process, and its caller here. */
interface Running extends AsyncDisposable {
  readonly caller: Caller;
}

async function start(name: ContenderName, keys: Keys, directory: string): Promise<Running> {
  const place = join(directory, name);
  await mkdir(place);
  const child = fork(join(import.meta.dirname, 'rpc/server.ts'), { stdio: 'inherit' });
  child.send({ name, keys, directory: place });
  const [port] = (await once(child, 'message')) as [number];
  const caller = await CONTENDERS[name].connect(keys, port);
  await caller.submit(KNOWN);
  await measure(WARM_UP_CALLS, 32, () => caller.get(ASKED));
  return {
    caller,
    [Symbol.asyncDispose]: async () => {
      await caller.close();
      child.kill();
    },
  };
}

/** Measures a part and prints its table. */
async function run(
  part: string,
  callers: Record<ContenderName, Caller>,
  rounds: number,
): Promise<Map<number, Comparison>> {
  const { count, call } = PARTS[part]!;
  console.log(`\njob.${part}: calls a second, their ratios, and milliseconds; medians of ${rounds} rounds\n`);
  const compared = new Map<number, Comparison>();
  for (const inFlight of IN_FLIGHT) {
    const callOf = (name: ContenderName) => (serial: string) =>
      call(callers[name], `${part} ${inFlight} ${serial}`);
    const calls = {
      ours: callOf('ours'),
      bare: callOf('bare'),
      grpc: callOf('grpc'),
      'grpc+': callOf('grpc+'),
    };
    compared.set(inFlight, await compare(calls, { count: count(inFlight), inFlight, rounds }));
  }
  console.log(table([ROW_HEAD, ...[...compared].map(([inFlight, each]) => rowOf(inFlight, each))]));
  return compared;
}

/** Whether the goals, which are for job.get, are met; says so. */
function judge(compared: ReadonlyMap<number, Comparison>): boolean {
  const verdicts = [...compared].map(([inFlight, { toGrpc }]) => ({
    passed: toGrpc >= GOAL_RATIO,
    what: `ours : grpc, job.get, ${inFlight} in flight: ${toGrpc.toFixed(2)} (goal: at least ${GOAL_RATIO})`,
  }));
  const p50Ms = compared.get(1)?.ours.p50Ms ?? Number.NaN;
  verdicts.push({
    passed: p50Ms <= GOAL_GET_P50_MS,
    what: `p50 of job.get: ${p50Ms.toFixed(3)} ms (goal: at most ${GOAL_GET_P50_MS} ms)`,
  });
  console.log('');
  for (const { passed, what } of verdicts) console.log(`${passed ? 'PASS' : 'FAIL'}: ${what}`);
  return verdicts.every(({ passed }) => passed);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  });
  const parts = Object.keys(PARTS).filter((part) => positionals.length === 0 || positionals.includes(part));
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const keys = await makeKeys();
  const begin = async (name: ContenderName): Promise<Caller> =>
    stack.use(await start(name, keys, path)).caller;
  const callers = {
    ours: await begin('ours'),
    bare: await begin('bare'),
    grpc: await begin('grpc'),
    'grpc+': await begin('grpc+'),
  };
  const figures: Record<string, unknown> = {};
  for (const part of parts) {
    const compared = await run(part, callers, values.quick ? ROUNDS.quick : ROUNDS.whole);
    figures[part] = Object.fromEntries(compared);
    if (part === 'get' && !judge(compared)) process.exitCode = 1;
  }
  if (values.json !== undefined) await writeFigures(values.json, 'rpc', figures);
}

await main();
