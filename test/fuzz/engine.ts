import fc from 'fast-check';

/** Longer than this no input may take. */
export const LIMIT_MS = 100;
/** A machine that is busy makes a case look slow: such a one is looked at again, by the processor's time. */
const MORE_LOOKS = 3;
const MAX_SHOWN_LENGTH = 500;

/** What a run of one target came to. */
export interface Outcome {
  readonly cases: number;
  readonly slowestMs: number;
  /** The input that took longest, shortened. */
  readonly slowest: string;
  /** The smallest input that was found to fail, and how to see it again; null where none did. */
  readonly failure: string | null;
}

/** A parser, what is thrown at it, and what must hold. */
export interface Target {
  readonly name: string;
  /** Of all cases, how large a part this one gets: parsers of longer texts get fewer. */
  readonly share: number;
  run(cases: number, seed: number): Promise<Outcome>;
}

/** `check` throws where something does not hold that must. */
export function target<T>(
  name: string,
  share: number,
  inputs: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): Target {
  return {
    ...{ name, share },
    run: async (cases, seed) => {
      let slowestMs = 0;
      let slowest = '';
      const timed = async (input: T): Promise<void> => {
        let ms = await timeOf(() => check(input), wallMs);
        for (let look = 0; look < MORE_LOOKS && ms > LIMIT_MS; look += 1) {
          ms = Math.min(ms, await timeOf(() => check(input), cpuMs));
        }
        if (ms > slowestMs) [slowestMs, slowest] = [ms, shown(input)];
        if (ms > LIMIT_MS) throw new Error(`took ${Math.round(ms)} ms`);
      };
      const property = fc.asyncProperty(inputs, timed);
      const details = await fc.check(property, { numRuns: cases, seed });
      const failure = details.failed
        ? `${shown(details.counterexample)} (seed ${seed}): ${String(details.errorInstance)}`
        : null;
      return { cases: details.numRuns, slowestMs, slowest, failure };
    },
  };
}

const wallMs = (): number => performance.now();

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function timeOf(work: () => void | Promise<void>, clockMs: () => number): Promise<number> {
  const from = clockMs();
  const going = work();
  if (going !== undefined) await going;
  return clockMs() - from;
}

/** Fails where two values are not the same; both of JSON. */
export function same(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${shown(found)} is not ${shown(expected)}`);
}

function shown(value: unknown): string {
  const text = fc.stringify(value);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}… (${text.length})` : text;
}
