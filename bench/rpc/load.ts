import { percentile } from '../common/statistics.ts';

/** One measurement. */
export interface Load {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Makes `count` calls, `inFlight` at a time, each begun when another has ended. */
export async function measure(
  count: number,
  inFlight: number,
  call: (index: number) => Promise<unknown>,
): Promise<Load> {
  const latencies: number[] = [];
  let begun = 0;
  const runner = async (): Promise<void> => {
    while (begun < count) {
      const index = begun;
      begun += 1;
      const startedMs = performance.now();
      await call(index);
      latencies.push(performance.now() - startedMs);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, runner));
  const seconds = (performance.now() - startedMs) / 1000;
  return {
    perSecond: count / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}
