import { join } from 'node:path';
import type { SourceName } from '../protocol/job.ts';
import type { HasWarnings } from './bucket/credentials.ts';
import type { BucketSourceConfig } from './config/shape.ts';
import { openTranscoder } from './delivery/open-transcoder.ts';
import type { Publisher } from './delivery/publisher.ts';
import { createS3Publisher } from './delivery/s3-publisher.ts';
import type { Transcoder } from './delivery/transcoder.ts';
import { createWebPublisher } from './delivery/web-publisher.ts';
import { removeLeftIndexes } from './indexing/index-files.ts';
import { createIndex } from './indexing/index-thread.ts';
import { createIndexedSource } from './indexing/indexed-source.ts';
import type { Links } from './links/links.ts';
import { createNodeLinks } from './links/node-links.ts';
import { createPresignedLinks } from './links/presigned-links.ts';
import { AppError, messageOf } from './platform/errors.ts';
import { bytesForDelivery } from './platform/space-watch.ts';
import { createDiskConfirm, createDiskSource } from './recordings/disk-source.ts';
import type { RecordingIndex } from './recordings/recording-index.ts';
import { createS3Source } from './recordings/s3-source.ts';
import type { RecordingSource } from './recordings/source.ts';
import type { Config } from './config.ts';
import type { Clock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import type { SpaceWatch } from './platform/space.ts';

/** A search of a bucket without days waits so long for a listing of all of it: some millions of keys. */
const LISTING_LIMIT_MS = 600_000;

/** Where recordings come from, and where results go. */
export interface Storage {
  readonly sources: ReadonlyMap<SourceName, RecordingSource>;
  readonly publisher: Publisher;
  /** How people get at what is published. */
  readonly links: Links;
  /** Null where nothing is to be converted for playing, or nothing here can do it. */
  readonly transcoder: Transcoder | null;
  /** Of sources that have one; not started yet. */
  readonly indexes: readonly RecordingIndex[];
  /** What an operator should know of all this, as it is now. */
  readonly worldWarnings: () => readonly string[];
}

/** Where the web publisher keeps what the public listener serves. */
export function webRoot(config: Config): string {
  return join(config.stateDir, 'web');
}

/** The storage that a configuration asks for. `linkKey` signs the links that this node answers. */
export async function createStorage(
  config: Config,
  { linkKey, space }: { readonly linkKey: Buffer; readonly space: SpaceWatch },
  clock: Clock,
  log: Log,
): Promise<Storage> {
  const { dir, bucket } = config.recordings;
  const sources = new Map<SourceName, RecordingSource>();
  const indexes: RecordingIndex[] = [];
  const watched: HasWarnings[] = [];
  const roomLog = log.with({ room: 'recordings' });
  if (config.sources.includes('audio') && dir !== null) {
    const { source, index } = createDisk(config, dir, clock, roomLog);
    sources.set('audio', source);
    if (index !== null) indexes.push(index);
  }
  if (bucket !== null) {
    const { source, index, warnings } = await createBucket(config, bucket, clock, roomLog);
    sources.set('s3', source);
    if (index !== null) indexes.push(index);
    watched.push({ warnings });
  }
  removeLeft(indexDirectory(config.stateDir), indexes, roomLog);
  const publisher = await createPublisher(config, clock, log.with({ room: 'delivery' }));
  if ('warnings' in publisher) watched.push(publisher);
  // Source and publisher often have the same credentials.
  const worldWarnings = (): string[] => [
    ...new Set(watched.flatMap((one) => one.warnings())),
    ...indexes.flatMap((index) => {
      const { state, source, message } = index.status();
      return state === 'failed' ? [`the index of ${source} is not in use: ${message}`] : [];
    }),
  ];
  const links = createLinks(config, linkKey, publisher);
  const transcoder = await createTranscoder(config, space, clock, log.with({ room: 'delivery' }));
  return { sources, indexes, publisher, links, transcoder, worldWarnings };
}

interface Searched {
  readonly source: RecordingSource;
  /** Null where it has none. */
  readonly index: RecordingIndex | null;
}

function createDisk({ recordings, stateDir }: Config, root: string, clock: Clock, log: Log): Searched {
  const { order } = recordings;
  const base = createDiskSource({ root, order, clock, log });
  if (!recordings.index) return { source: base, index: null };
  const directory = indexDirectory(stateDir);
  const index = createIndex({ source: 'audio', directory, keeper: { kind: 'disk', root }, clock, log });
  const confirm = createDiskConfirm(root);
  return { source: createIndexedSource({ base, index, order, confirm, clock, log }), index };
}

async function createBucket(
  { recordings, stateDir, publish }: Config,
  bucket: BucketSourceConfig,
  clock: Clock,
  log: Log,
): Promise<Searched & HasWarnings> {
  const { order } = recordings;
  const isShared = publish.s3?.bucket === bucket.bucket;
  const except = isShared ? (publish.s3?.publishPrefix ?? null) : null;
  const base = await createS3Source({ ...bucket, except, order, clock, log });
  const { warnings } = base;
  // A dated layout tells which keys a day can have: those are listed.
  if (!recordings.index || bucket.layout.kind !== 'flat') return { source: base, index: null, warnings };
  const { layout: _layout, bucket: name, prefix, ...account } = bucket;
  const options = { account, bucket: name, prefix, except };
  const directory = indexDirectory(stateDir);
  const keeper = { kind: 's3', options } as const;
  const settleLimitMs = LISTING_LIMIT_MS;
  const index = createIndex({ source: 's3', directory, keeper, settleLimitMs, clock, log });
  return { source: createIndexedSource({ base, index, order, clock, log }), index, warnings };
}

/** What is left of an index that the configuration no longer asks for takes room and nothing else. */
function removeLeft(directory: string, indexes: readonly RecordingIndex[], log: Log): void {
  try {
    for (const source of removeLeftIndexes(
      directory,
      indexes.map((index) => index.source),
    )) {
      log.info('removed the index of a source that has none any more', { source });
    }
  } catch (error) {
    log.warn('an index that is not used any more could not be removed', { cause: messageOf(error) });
  }
}

function indexDirectory(stateDir: string): string {
  return join(stateDir, 'index');
}

async function createPublisher(
  { publish, nodeId, ...config }: Config,
  clock: Clock,
  log: Log,
): Promise<Publisher | (Publisher & HasWarnings)> {
  if (publish.kind === 's3') {
    return createS3Publisher({ ...publish.s3, prefix: publish.s3.publishPrefix, nodeId, clock, log });
  }
  return createWebPublisher({ root: webRoot({ ...config, publish, nodeId }), nodeId });
}

/** Links of this node where it can be reached; else those that the bucket answers. */
function createLinks(
  { nodeId, publish: { publicUrl } }: Config,
  linkKey: Buffer,
  publisher: Publisher,
): Links {
  if (publicUrl !== null) return createNodeLinks({ nodeId, linkKey, publicUrl });
  if (publisher.presign === null) {
    throw new AppError(
      'publish.no-links',
      'this node alone answers links to what it publishes: set PUBLIC_URL',
    );
  }
  return createPresignedLinks(publisher.presign);
}

async function createTranscoder(
  config: Config,
  watch: SpaceWatch,
  clock: Clock,
  log: Log,
): Promise<Transcoder | null> {
  if (!config.publish.transcode) return null;
  const directory = join(config.stateDir, 'tmp', 'playing');
  // What is published elsewhere is converted here all the same.
  const space = () => bytesForDelivery(watch);
  return openTranscoder({ directory, path: process.env['PATH'] ?? '', clock, log, space });
}
