import { makeClient, type S3Account } from '../bucket/client.ts';
import { emptyBucket } from '../bucket/errors.ts';
import { createLister } from '../bucket/lister.ts';
import { loadS3Sdk } from '../bucket/sdk.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { DayRange } from '../recordings/day-folders.ts';
import { applyListed, forget, noteEnd, openBucketIndex } from './bucket-index.ts';
import type { IndexBuilder } from './index-database.ts';
import type { BuildProgress, Keeper } from './keeper.ts';
import { beginPass, type ListedPart, listPass, probeCuts } from './listing-pass.ts';
import { createSharedPass, type PassResult } from './shared-pass.ts';

/** Recordings of days that ended so long ago are taken to lie where they are to lie. */
const SETTLED_DAYS = 2;
/** For such days a listing that began no longer ago is as good as a new one. */
const FRESH_MINUTES = 5;
/** Without searches the bucket is listed this often: a million keys are 1,000 requests, which cost money on AWS. */
const SWEEP_MINUTES = 60;

/** Plain data but for clock and log: it goes to the index's own thread. */
export interface S3KeeperOptions {
  readonly account: S3Account;
  readonly bucket: string;
  /** S3_RECORDINGS_PREFIX, without slashes at its ends; may be empty. */
  readonly prefix: string;
  /** Where results are published in the same bucket, without slashes at its ends; null: not there. */
  readonly except: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps the index of a bucket whose keys do not tell the day. S3 tells nobody of changes, so it is kept by listing: a
 * search of the last days waits for a listing that began after it was asked for, one of older days is content with a
 * listing of the last minutes. Searches that wait at a time share one.
 */
export function createS3Keeper(options: S3KeeperOptions): Keeper {
  const { clock } = options;
  let opened: Promise<ListedPart & Disposable> | null = null;
  const part = (): Promise<ListedPart & Disposable> => (opened ??= openPart(options));
  const passes = createSharedPass({ ...options, part });

  return {
    place: () => JSON.stringify([options.account.endpoint, options.bucket, options.prefix]),
    build: async (builder, progress, signal) => buildFrom(await part(), options, builder, progress, signal),
    adopt: passes.adopt,
    settle: async (range, signal) => tell(await passes.since(neededFor(range, clock.now()), signal)),
    sweep: async (signal) =>
      tell(await passes.since(clock.now().subtract({ minutes: SWEEP_MINUTES }), signal)),
    audit: async (signal) => {
      const begun = clock.monotonicMs();
      // Every pass compares everything.
      const result = await passes.since(clock.now(), signal);
      return {
        ...passes.index().writer.counts(),
        missing: result?.added ?? 0,
        stale: result?.removed ?? 0,
        unreadable: 0,
        elapsedMs: Math.round(clock.monotonicMs() - begun),
      };
    },
    gone: (keys) => {
      forget(passes.index(), keys);
    },
    watched: () => 0,
    [Symbol.asyncDispose]: async () => {
      await passes[Symbol.asyncDispose]();
      const last = await opened?.catch(() => null); // whoever asked for it was told
      last?.[Symbol.dispose]();
    },
  };
}

async function openPart(options: S3KeeperOptions): Promise<ListedPart & Disposable> {
  const { account, bucket, prefix, except, clock } = options;
  const sdk = await loadS3Sdk();
  const client = makeClient(sdk, account);
  return {
    lister: createLister({ sdk, client, bucket, clock }),
    root: prefix === '' ? '' : `${prefix}/`,
    except: except === null ? null : `${except}/`,
    [Symbol.dispose]: () => client.destroy(),
  };
}

async function buildFrom(
  part: ListedPart,
  { bucket, clock }: S3KeeperOptions,
  builder: IndexBuilder,
  progress: BuildProgress,
  signal: AbortSignal,
): Promise<string> {
  const index = openBucketIndex(builder);
  const state = beginPass(clock.now(), await probeCuts(part, signal));
  let objects = 0;
  const { cuts, pages } = await listPass(
    part,
    state,
    (listed) => {
      signal.throwIfAborted();
      objects += listed.objects.length;
      builder.transaction(() => applyListed(index, listed));
      progress(builder.counts());
    },
    signal,
  );
  if (objects === 0) {
    throw emptyBucket(bucket, part.root);
  }
  noteEnd(index, state.begunAt, cuts);
  return `listed ${objects} objects of the bucket in ${pages} pages`;
}

/** When a pass must have begun to know of what these days hold. The days are local and one longer than was asked for. */
function neededFor(range: DayRange, now: Temporal.Instant): Temporal.Instant {
  const settled = now
    .toZonedDateTimeISO('UTC')
    .toPlainDate()
    .subtract({ days: SETTLED_DAYS - 1 });
  return range.last < settled.toString() ? now.subtract({ minutes: FRESH_MINUTES }) : now;
}

function tell(result: PassResult | null): string | null {
  if (result === null) return null;
  const { begunAt, pages, objects, added, removed } = result;
  return `listed the bucket as of ${begunAt}: ${objects} objects in ${pages} pages, ${added} new, ${removed} gone`;
}
