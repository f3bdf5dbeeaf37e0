import * as z from 'zod';
import { instantSchema } from '../../protocol/ledger.ts';
import { nodeIdSchema } from '../../protocol/messages.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { Json } from '../queue/steps.ts';
import type { AccessRecord, AccessStore } from './access-store.ts';

const FILE_VERSION = 1;
/** Living and removed ones together: a hundred times what the first user has. */
const MAX_RECORDS = 20_000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** A version that is so far ahead is no count of changes: past the last integer, nobody could change that record again. */
const MAX_AHEAD = 1_000_000;
/**
 * A removal is forgotten after so long: whoever has not heard of it by then is no peer any more. Those of people are
 * kept for ever, since the configuration may still name them.
 */
const REMOVAL_DAYS = 400;
const KEPT_REMOVALS = 'person:';

const recordSchema = z.strictObject({
  key: z.string().regex(/^[a-z]{1,20}:[^\s]{1,320}$/),
  version: z.int().nonnegative(),
  node: nodeIdSchema,
  at: instantSchema,
  by: z.string().max(320),
  value: z.json(),
});
const fileSchema = z.strictObject({
  version: z.literal(FILE_VERSION),
  records: z.array(recordSchema).max(MAX_RECORDS),
});

export interface AccessStoreOptions {
  /** STATE_DIR/access.json; mode 0600. */
  readonly path: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
}

/**
 * Opens what both nodes know of who may ask. Every change is a whole new file, written beside and renamed.
 * @throws AppError `access.damaged` where the file cannot be read: without it, whoever was removed would be let in again
 */
export async function openAccessStore(options: AccessStoreOptions): Promise<AccessStore> {
  const { path, nodeId, clock, maxRecords = MAX_RECORDS, maxBytes = MAX_FILE_BYTES } = options;
  const inTurn = createKeyedMutex();
  const listeners = new Set<(record: AccessRecord) => void>();
  let records = await load(path);

  const isForgotten = ({ key, value, at }: AccessRecord): boolean =>
    value === null && !key.startsWith(KEPT_REMOVALS) && hoursBetween(at, clock.now()) > REMOVAL_DAYS * 24;

  /** Puts records on disk, then in use, then tells of them. */
  const take = async (news: readonly AccessRecord[]): Promise<void> => {
    // What could not be read back must not be written.
    const wrong = news.find((record) => !recordSchema.safeParse(record).success);
    if (wrong !== undefined) throw new AppError('access.invalid', `not a record: ${wrong.key.slice(0, 100)}`);
    const next = new Map([...records].filter(([, record]) => !isForgotten(record)));
    for (const record of news) next.set(record.key, record);
    if (next.size > maxRecords && next.size > records.size) {
      throw new AppError('access.too-many', `there are ${maxRecords} people and tokens already`);
    }
    const sorted = [...next.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const text = `${JSON.stringify({ version: FILE_VERSION, records: sorted }, null, 1)}\n`;
    // A larger file would not be read at the next start.
    if (Buffer.byteLength(text) > maxBytes) {
      throw new AppError('access.too-many', `people and tokens take more than ${maxBytes} bytes`);
    }
    try {
      await writeDurable(path, text);
    } catch (error) {
      throw new AppError('access.unwritable', messageOf(error), { retriable: true, cause: error });
    }
    records = next;
    for (const record of news) for (const listener of listeners) listener(record);
  };

  return {
    get: (key) => records.get(key) ?? null,
    list: (prefix) =>
      [...records.values()]
        .filter(({ key }) => key.startsWith(prefix))
        .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    put: (key, value, by) =>
      inTurn('change', async () => {
        const version = (records.get(key)?.version ?? 0) + 1;
        const at = clock.now().toString({ smallestUnit: 'millisecond' });
        const record: AccessRecord = { key, version, node: nodeId, at, by, value };
        await take([record]);
        return record;
      }),
    merge: (incoming) =>
      inTurn('change', async () => {
        const news = new Map<string, AccessRecord>();
        for (const record of incoming) {
          const known = news.get(record.key) ?? records.get(record.key);
          if (record.version - (known?.version ?? 0) > MAX_AHEAD) continue;
          if (known === undefined ? isForgotten(record) : !isNewer(record, known)) continue;
          news.set(record.key, record);
        }
        if (news.size > 0) await take([...news.values()]);
        return [...news.values()];
      }),
    onChange: (listener) => {
      listeners.add(listener);
    },
  };
}

/**
 * Whether the first of two words on one subject counts: the same on both nodes, whichever hears which first. The last
 * two comparisons are for a node whose disk was put back, and that gives out a version for the second time.
 */
export function isNewer(a: AccessRecord, b: AccessRecord): boolean {
  if (a.version !== b.version) return a.version > b.version;
  if (a.node !== b.node) return a.node > b.node;
  const [atA, atB] = [Temporal.Instant.from(a.at), Temporal.Instant.from(b.at)];
  const order = Temporal.Instant.compare(atA, atB);
  return order === 0 ? textOf(a.value) > textOf(b.value) : order > 0;
}

/** The same text for the same value, in whichever order its fields stand. */
function textOf(value: Json): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

function hoursBetween(at: string, now: Temporal.Instant): number {
  return Temporal.Instant.from(at).until(now).total('hours');
}

async function load(path: string): Promise<ReadonlyMap<string, AccessRecord>> {
  let text: string;
  try {
    text = (await readBounded(path, MAX_FILE_BYTES)).toString('utf8');
  } catch (error) {
    if (isMissing(error)) return new Map();
    throw damaged(path, messageOf(error), error);
  }
  const read = fileSchema.safeParse(parsed(path, text));
  if (!read.success) throw damaged(path, z.prettifyError(read.error).slice(0, 500), read.error);
  return new Map(read.data.records.map((record) => [record.key, record as AccessRecord]));
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(path, 'it is not JSON', error);
  }
}

function damaged(path: string, why: string, cause: unknown): AppError {
  const what = `${path} cannot be read, and without it those who were removed would be let in again (${why})`;
  return new AppError('access.damaged', `${what}; put back a copy of it: the peer's will do`, { cause });
}
