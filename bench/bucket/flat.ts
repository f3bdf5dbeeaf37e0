import type { IndexReader } from '../../node/indexing/index-database.ts';
import { beginIndex, openReader } from '../../node/indexing/index-files.ts';
import { createS3Keeper } from '../../node/indexing/s3-keeper.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { dayRangeOf } from '../../node/recordings/day-folders.ts';
import type { Ceph } from '../../test/support/ceph.ts';
import { accountOf } from './contenders.ts';
import { QUERY } from './keys.ts';

const { signal } = new AbortController();

/** An index of a flat bucket, built and kept as the node's index thread does it. */
export interface FlatIndex extends AsyncDisposable {
  /** Lists all of it anew, as before a search of the last days. */
  refresh(): Promise<void>;
  query(): ReturnType<IndexReader['query']>;
  files(): number;
}

/** Builds it; the time that takes is that of the first pass. */
export async function buildFlatIndex(ceph: Ceph, bucket: string, directory: string): Promise<FlatIndex> {
  const keeper = createS3Keeper({
    account: accountOf(ceph),
    bucket,
    prefix: '',
    except: null,
    clock: systemClock,
    log: silentLog,
  });
  const builder = beginIndex(directory, 's3');
  await keeper.build(builder, () => undefined, signal);
  builder.complete();
  keeper.adopt(builder);
  const reader = openReader(directory, 's3', builder.serial);
  const today = systemClock.now().toString().slice(0, 10);
  return {
    refresh: async () => {
      await keeper.settle(dayRangeOf({ start: today, end: today }), signal);
    },
    query: () => reader.query(QUERY),
    files: () => builder.counts().files,
    [Symbol.asyncDispose]: async () => {
      await keeper[Symbol.asyncDispose]();
      reader[Symbol.dispose]();
      builder[Symbol.dispose]();
    },
  };
}
