import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  doorSchema,
  jobRequestSchema,
  laneSchema,
  sha256Schema,
  sourceNameSchema,
} from '../../protocol/job.ts';
import { instantSchema } from '../../protocol/ledger.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../platform/clock.ts';
import {
  isMissing,
  namesIn,
  readBounded,
  removeDurable,
  TEMPORARY_PREFIX,
  writeDurable,
} from '../platform/durable.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

/** Mails in doubt that are kept; past this the oldest make room. */
const MAX_DOUBTS = 1_000;
/** A job document as it enters the spool is far smaller. */
const MAX_BYTES = 262_144;
const SUFFIX = '.json';

const doubtSchema = z.strictObject({
  /** Since when it is in doubt. */
  at: instantSchema,
  /** Of the mail; without its token. */
  subject: z.string(),
  from: z.string(),
  receivedAt: instantSchema,
  /** What the mail would have been made: a request, or the refusal of one. */
  job: z.strictObject({
    id: sha256Schema,
    request: jobRequestSchema,
    details: z.record(z.string(), z.json()).optional(),
    door: doorSchema,
    lane: laneSchema,
    source: sourceNameSchema.nullable(),
  }),
  /** Set before the job is put into the spool, so that what a crash leaves half done is not decided otherwise. */
  taking: z.boolean(),
});
export type StoredDoubt = z.infer<typeof doubtSchema>;
export type NewDoubt = Pick<StoredDoubt, 'subject' | 'from' | 'receivedAt'> & {
  readonly job: Omit<StoredDoubt['job'], 'details'> & { readonly details?: StoredDoubt['job']['details'] };
};

/** The mails in doubt, each in a file named after its job. */
export interface DoubtStore {
  /** Resolves when it is on disk; one that is there stays as it is. */
  add(doubt: NewDoubt): Promise<void>;
  /** Of all mails in doubt, the newest first. */
  ids(): readonly string[];
  count(): number;
  /** Null where there is none, or its file cannot be read, which the log tells. */
  read(id: string): Promise<StoredDoubt | null>;
  markTaking(doubt: StoredDoubt): Promise<void>;
  remove(id: string): Promise<void>;
}

export interface DoubtStoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly log: Log;
  readonly maxDoubts?: number;
}

export async function openDoubtStore(options: DoubtStoreOptions): Promise<DoubtStore> {
  const { directory, clock, audit, log, maxDoubts = MAX_DOUBTS } = options;
  const pathOf = (id: string): string => join(directory, id + SUFFIX);

  const read = async (id: string): Promise<StoredDoubt | null> => {
    try {
      return doubtSchema.parse(JSON.parse((await readBounded(pathOf(id), MAX_BYTES)).toString('utf8')));
    } catch (error) {
      if (isMissing(error)) return null;
      log.error('a mail in doubt cannot be read', { file: pathOf(id), reason: messageOf(error) });
      return null;
    }
  };
  const write = async (doubt: StoredDoubt): Promise<void> => {
    await writeDurable(pathOf(doubt.job.id), `${JSON.stringify(doubt, null, 1)}\n`);
  };
  const since = await load(directory, read);

  const makeRoom = async (): Promise<void> => {
    while (since.size > maxDoubts) {
      const [oldest] = idsByAge(since);
      if (oldest === undefined) return;
      const facts = { job: oldest, limit: maxDoubts };
      await audit.record({ event: 'doubt.dropped', ...facts });
      await removeDurable(pathOf(oldest));
      since.delete(oldest);
      log.warn('too many mails are in doubt: the oldest is dropped, undecided', facts);
    }
  };

  return {
    add: async ({ subject, from, receivedAt, job }) => {
      if (since.has(job.id)) return;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const at = clock.now().toString({ smallestUnit: 'millisecond' });
      await write({ at, subject, from, receivedAt, job, taking: false });
      since.set(job.id, Temporal.Instant.from(at).epochMilliseconds);
      await makeRoom();
    },
    ids: () => idsByAge(since).toReversed(),
    count: () => since.size,
    read,
    markTaking: (doubt) => write({ ...doubt, taking: true }),
    remove: async (id) => {
      await removeDurable(pathOf(id));
      since.delete(id);
    },
  };
}

/** What is there, by id, with the milliseconds since 1970 at which each came to be; removes what a crash left half written. */
async function load(
  directory: string,
  read: (id: string) => Promise<StoredDoubt | null>,
): Promise<Map<string, number>> {
  const since = new Map<string, number>();
  for (const name of await namesIn(directory)) {
    if (name.startsWith(TEMPORARY_PREFIX)) await rm(join(directory, name), { force: true });
    if (!/^[0-9a-f]{64}\.json$/.test(name)) continue;
    const id = name.slice(0, -SUFFIX.length);
    const doubt = await read(id);
    if (doubt !== null) since.set(id, Temporal.Instant.from(doubt.at).epochMilliseconds);
  }
  return since;
}

function idsByAge(since: ReadonlyMap<string, number>): string[] {
  return [...since].toSorted(([, a], [, b]) => a - b).map(([id]) => id);
}
