import * as z from 'zod';
import { type SourceName, sourceNameSchema } from '../../protocol/job.ts';
import { AppError } from '../platform/errors.ts';
import type { IndexStatus, RecordingIndex } from '../recordings/recording-index.ts';
import type { HandlersOf } from './control-table.ts';

const count = z.int().nonnegative();
const durationMs = z.number().nonnegative();
/** An instant as RFC 3339 text; null where it has not been yet. */
const instant = z.string().nullable();
const texts = { source: sourceNameSchema, message: z.string() };

/** How an index is, as `IndexStatus` has it. */
export const indexStatusSchema = z.object({
  ...texts,
  state: z.enum(['starting', 'building', 'ready', 'failed']),
  files: count,
  folders: count,
  watched: count,
  databaseBytes: count,
  progress: z
    .object({ files: count, folders: count, expectedFiles: count.nullable(), elapsedMs: durationMs })
    .nullable(),
  builtAt: instant,
  sweptAt: instant,
  auditedAt: instant,
});
export type IndexView = z.infer<typeof indexStatusSchema>;

/** How a source is searched now. */
const searchedSchema = z.object({
  source: sourceNameSchema,
  by: z.enum(['index', 'listing', 'walking']),
  /** The same in words, with the reason. */
  sentence: z.string(),
});

/** An index of several that could not be served; where there is one alone, its error is the answer. */
const problems = z.array(z.object({ ...texts, code: z.string() }));

const verdictSchema = z.object({
  source: sourceNameSchema,
  files: count,
  folders: count,
  missing: count,
  stale: count,
  unreadable: count,
  elapsedMs: durationMs,
});
export type VerdictView = z.infer<typeof verdictSchema>;

/** Null for every index of the node. */
const which = z.strictObject({ source: sourceNameSchema.nullable() });

/** The calls about indexes, for the table of all. */
export const INDEX_METHODS = {
  indexStatus: {
    params: z.strictObject({}),
    result: z.object({ indexes: z.array(indexStatusSchema), sources: z.array(searchedSchema) }),
  },
  /** Begins, and does not wait for the end: `indexStatus` tells how far it is. */
  indexRebuild: { params: which, result: z.object({ begun: z.array(z.object(texts)), problems }) },
  /** Minutes, with a million files on a disk that is asked for them the first time. */
  indexVerify: { params: which, result: z.object({ verdicts: z.array(verdictSchema), problems }) },
} as const;

type Methods = typeof INDEX_METHODS;
export type IndexOverview = z.output<Methods['indexStatus']['result']>;
export type IndexProblem = z.output<typeof problems>[number];
export type IndexControl = HandlersOf<Methods>;

export interface IndexSettings {
  /** SOURCES. */
  readonly sources: readonly SourceName[];
  /** RECORDINGS_INDEX. */
  readonly wanted: boolean;
  /** Whether the bucket's keys tell no days (S3_RECORDINGS_LAYOUT=flat). */
  readonly flatBucket: boolean;
}

/**
 * What node-ctl can have a node do with its indexes. @throws AppError `index.none` for a source without one;
 * `index.busy`, `index.not-ready` where nothing else could be done
 */
export function createIndexControl(
  indexes: readonly RecordingIndex[],
  settings: IndexSettings,
): IndexControl {
  return {
    indexStatus: async () => ({
      indexes: indexes.map((index) => index.status()),
      sources: settings.sources.map((source) => {
        const index = indexes.find((one) => one.source === source);
        return { source, ...howSearched(source, index?.status() ?? null, settings) };
      }),
    }),
    indexRebuild: async ({ source }) => {
      const { done, problems: left } = await eachOf(chosen(indexes, source, settings), async (index) => ({
        source: index.source,
        message: index.rebuild(),
      }));
      return { begun: done, problems: left };
    },
    indexVerify: async ({ source }, signal) => {
      const { done, problems: left } = await eachOf(chosen(indexes, source, settings), async (index) => ({
        source: index.source,
        ...(await index.verify(signal)),
      }));
      return { verdicts: done, problems: left };
    },
  };
}

/** One after the other, so that they do not share one disk; what one cannot do keeps none of the others from it. */
async function eachOf<T>(
  indexes: readonly RecordingIndex[],
  work: (index: RecordingIndex) => Promise<T>,
): Promise<{ done: T[]; problems: IndexProblem[] }> {
  const done: T[] = [];
  const failed: { source: SourceName; error: AppError }[] = [];
  for (const index of indexes) {
    try {
      done.push(await work(index));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      failed.push({ source: index.source, error });
    }
  }
  const [first] = failed;
  if (done.length === 0 && first !== undefined) throw named(first.source, first.error);
  return {
    done,
    problems: failed.map(({ source, error: { code, message } }) => ({ source, code, message })),
  };
}

/** Sentences of an index do not say whose it is. */
function named(source: SourceName, cause: AppError): AppError {
  const { code, message, retriable } = cause;
  return new AppError(code, `${source}: ${message}`, { retriable, cause });
}

function chosen(
  indexes: readonly RecordingIndex[],
  source: SourceName | null,
  settings: IndexSettings,
): readonly RecordingIndex[] {
  const found = source === null ? indexes : indexes.filter((index) => index.source === source);
  if (found.length > 0) return found;
  throw new AppError('index.none', whyNone(source, settings));
}

function whyNone(source: SourceName | null, settings: IndexSettings): string {
  const { sources } = settings;
  if (source === null) {
    const each = sources.map((one) => whyNone(one, settings));
    return each.length === 0 ? 'this node searches no source (SOURCES=none): ask its peer' : each.join('\n');
  }
  if (!sources.includes(source)) {
    const served = sources.join(', ') || 'none';
    return `this node does not search the source ${source} (SOURCES=${served}): ask its peer, or name another`;
  }
  if (source === 's3' && !settings.flatBucket) {
    return 's3 has no index and needs none: S3_RECORDINGS_LAYOUT tells which keys a day can have, and these are listed';
  }
  return `${source} has no index: RECORDINGS_INDEX is off; set RECORDINGS_INDEX=on and restart the node`;
}

/** How a source is searched while its index is like this; `status` null where it has none. */
function howSearched(
  source: SourceName,
  status: IndexStatus | null,
  settings: IndexSettings,
): Omit<IndexOverview['sources'][number], 'source'> {
  if (status?.state === 'ready') return { by: 'index', sentence: 'searched by its index' };
  const because = status === null ? 'RECORDINGS_INDEX is off' : 'its index is not ready';
  if (source === 'audio') {
    const sentence = `searched by walking the folders that can hold the days asked for: ${because}`;
    return { by: 'walking', sentence };
  }
  const sentence = settings.flatBucket
    ? `searched by listing the whole bucket: ${because}`
    : 'searched by listing the keys that the days asked for can have: the layout needs no index';
  return { by: 'listing', sentence };
}
