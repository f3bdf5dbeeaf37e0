import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../test/support/process.ts';
import { readCommandLine } from './common/command-line.ts';
import { table, writeFigures } from './common/report.ts';
import { type CallerOrder, type LoadOrder, type Part, PARTS } from './rpc/caller.ts';
import type { Keys } from './rpc/contender.ts';
import { makeKeys } from './rpc/keys.ts';
import type { Load } from './rpc/load.ts';
import { type Comparison, compare, rowOf, ROW_HEAD } from './rpc/compare.ts';
import type { ContenderName, ServerOrder } from './rpc/server.ts';

/**
 * What a call between the nodes costs: ours beside a bare TLS server without authentication, and beside grpc-js with
 * certificates on both sides and the same token on every call (signed by jose; `grpc+`: signed as ours). Each server in
 * and each caller in a process of its own, by turns.
 * `node bench/rpc.ts [get|submit …] [--quick] [--json FILE]`; exit code 1 where a goal is missed.
 */
const GOAL_RATIO = 1.4;
const GOAL_GET_P50_MS = 0.25;
const IN_FLIGHT = [1, 32, 64];
const ROUNDS = { whole: 9, quick: 5 };

/** Calls of a measurement, by calls in flight. */
const COUNT: Readonly<Record<Part, (inFlight: number) => number>> = {
  get: (inFlight) => (inFlight === 1 ? 1_000 : 3_000),
  submit: (inFlight) => (inFlight === 1 ? 60 : 200),
};

/** A contender's server and its caller, each in a process of its own. */
interface Running extends AsyncDisposable {
  measure(order: LoadOrder): Promise<Load>;
}

async function start(name: ContenderName, keys: Keys, directory: string): Promise<Running> {
  const place = join(directory, name);
  await mkdir(place);
  const server = startProcess('rpc/server.ts', { name, keys, directory: place });
  const port = await answerOf<number>(server);
  const caller = startProcess('rpc/caller.ts', { name, keys, port });
  await answerOf(caller);
  return {
    measure: async (order) => {
      caller.send(order);
      return answerOf<Load>(caller);
    },
    [Symbol.asyncDispose]: async () => {
      caller.kill();
      server.kill();
    },
  };
}

function startProcess(file: string, order: CallerOrder | ServerOrder): ChildProcess {
  const child = fork(join(import.meta.dirname, file), { stdio: 'inherit' });
  child.send(order);
  return child;
}

/** @throws Error where the process ends instead */
async function answerOf<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`${child.spawnargs[1]} ended with ${code}`);
  });
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as [T];
    return answer;
  } finally {
    over.abort();
    ended.catch(() => undefined); // aborted
  }
}

/** Measures a part and prints its table. */
async function run(
  part: Part,
  contenders: Record<ContenderName, Running>,
  rounds: number,
): Promise<Map<number, Comparison>> {
  console.log(`\njob.${part}: calls a second, their ratios, and milliseconds; medians of ${rounds} rounds\n`);
  const compared = new Map<number, Comparison>();
  for (const inFlight of IN_FLIGHT) {
    const count = COUNT[part](inFlight);
    const measured = (name: ContenderName, round: number): Promise<Load> =>
      contenders[name].measure({ part, count, inFlight, serial: `${part} ${inFlight} ${round}` });
    compared.set(inFlight, await compare(measured, rounds));
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
  const { parts, quick, json } = readCommandLine(PARTS);
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const keys = await makeKeys();
  const begin = async (name: ContenderName): Promise<Running> => stack.use(await start(name, keys, path));
  const contenders = {
    ours: await begin('ours'),
    bare: await begin('bare'),
    grpc: await begin('grpc'),
    'grpc+': await begin('grpc+'),
  };
  const figures: Record<string, unknown> = {};
  for (const part of parts) {
    const compared = await run(part, contenders, quick ? ROUNDS.quick : ROUNDS.whole);
    figures[part] = Object.fromEntries(compared);
    if (part === 'get' && !judge(compared)) process.exitCode = 1;
  }
  if (json !== undefined) await writeFigures(json, 'rpc', figures);
}

await main();
