import { once } from 'node:events';
import { bare } from './bare.ts';
import type { Contender, Keys } from './contender.ts';
import { grpcJs, grpcOurSign } from './grpc.ts';
import { openJobs } from './jobs.ts';
import { ours } from './ours.ts';

export const CONTENDERS = { ours, bare, grpc: grpcJs, 'grpc+': grpcOurSign } as const satisfies Record<
  string,
  Contender
>;
export type ContenderName = keyof typeof CONTENDERS;

/** What the process of a server is told when it is started. */
export interface ServerOrder {
  readonly name: ContenderName;
  readonly keys: Keys;
  readonly directory: string;
}

if (import.meta.main) {
  const [{ name, keys, directory }] = (await once(process, 'message')) as [ServerOrder];
  process.once('disconnect', () => process.exit());
  process.send?.(await CONTENDERS[name].serve(keys, await openJobs(directory)));
}
