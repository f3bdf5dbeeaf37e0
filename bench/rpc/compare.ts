import { percentile } from '../common/statistics.ts';
import type { Load } from './load.ts';
import type { ContenderName } from './server.ts';

/** Of each figure the median over rounds; of the ratios too, so that what else the machine did meets both sides. */
export interface Comparison extends Readonly<Record<ContenderName, Load>> {
  /** Calls a second of ours to theirs. */
  readonly toBare: number;
  readonly toGrpc: number;
  readonly toGrpcOurSign: number;
}

const NAMES: readonly ContenderName[] = ['ours', 'bare', 'grpc', 'grpc+'];

/** Measures all by turns, round after round, after one that warms up. */
export async function compare(
  measured: (name: ContenderName, round: number) => Promise<Load>,
  rounds: number,
): Promise<Comparison> {
  const loads: Record<ContenderName, Load>[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const entries: [ContenderName, Load][] = [];
    for (const name of NAMES) entries.push([name, await measured(name, round)]);
    if (round > 0) loads.push(Object.fromEntries(entries) as Record<ContenderName, Load>);
  }
  const median = (of: (round: Record<ContenderName, Load>) => number): number =>
    percentile(loads.map(of), 0.5);
  const medians = (name: ContenderName): Load => ({
    perSecond: median((round) => round[name].perSecond),
    p50Ms: median((round) => round[name].p50Ms),
    p99Ms: median((round) => round[name].p99Ms),
  });
  return {
    ours: medians('ours'),
    bare: medians('bare'),
    grpc: medians('grpc'),
    toBare: median(({ ours, bare }) => ours.perSecond / bare.perSecond),
    'grpc+': medians('grpc+'),
    toGrpc: median(({ ours, grpc }) => ours.perSecond / grpc.perSecond),
    toGrpcOurSign: median((round) => round.ours.perSecond / round['grpc+'].perSecond),
  };
}

/** The columns: `grpc+` is grpc-js with our signing in place of jose's. */
export const ROW_HEAD = [
  ...['in flight', 'ours/s', 'bare/s', 'grpc/s', 'ours:bare', 'ours:grpc', 'ours:grpc+'],
  ...['ours p50', 'p99', 'bare p50', 'p99', 'grpc p50', 'p99'],
];

export function rowOf(inFlight: number, comparison: Comparison): string[] {
  const { ours, bare, grpc, toBare, toGrpc, toGrpcOurSign } = comparison;
  return [
    String(inFlight),
    ...[ours, bare, grpc].map(({ perSecond }) => perSecond.toFixed(0)),
    ...[toBare, toGrpc, toGrpcOurSign].map((ratio) => ratio.toFixed(2)),
    ...[ours, bare, grpc].flatMap(({ p50Ms, p99Ms }) => [p50Ms.toFixed(3), p99Ms.toFixed(3)]),
  ];
}
