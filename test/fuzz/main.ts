import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { LIMIT_MS } from './engine.ts';
import { TARGETS } from './targets.ts';

const MAX_SEED = 2 ** 31 - 1;
const USAGE = `usage: node test/fuzz/main.ts [--cases 1000000] [--seed NUMBER] [--only TARGET]
targets: ${TARGETS.map(({ name }) => name).join(', ')}`;

/** Throws made-up input at every parser of what comes from outside: none may throw, or take longer than 100 ms. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { cases: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
  });
  const cases = Number(values.cases ?? '1000000');
  const seed = Number(values.seed ?? randomInt(MAX_SEED));
  const targets = TARGETS.filter(({ name }) => values.only === undefined || name === values.only);
  if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed) || targets.length === 0) {
    console.error(USAGE);
    return 2;
  }
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  console.log(`seed ${seed}; no case may fail or take more than ${LIMIT_MS} ms`);
  const from = performance.now();
  let done = 0;
  let failed = 0;
  for (const { name, share, run } of targets) {
    const began = performance.now();
    const outcome = await run(Math.ceil((cases * share) / shares), seed);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    done += outcome.cases;
    console.log(
      `${name.padEnd(24)} ${String(outcome.cases).padStart(8)} cases ${seconds.padStart(6)} s  slowest ${outcome.slowestMs.toFixed(2)} ms`,
    );
    if (outcome.failure === null) continue;
    failed += 1;
    console.log(`  FAILED: ${outcome.failure}`);
  }
  console.log(
    `${done} cases in ${((performance.now() - from) / 1000).toFixed(1)} s, ${failed} targets failed`,
  );
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
