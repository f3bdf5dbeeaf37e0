import { mapBounded } from '../platform/concurrency.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { AppError } from '../platform/errors.ts';
import type { AudioFacts, Recording, RecordingFault, RecordingSource } from '../recordings/source.ts';
import { archiveRecordings } from './archive.ts';
import type { ManifestLine } from './csv.ts';
import { type DeliveryProgress, trackProgress } from './delivery-progress.ts';
import { type NamedRecording, nameManifest, nameRecordings, nameZip, type Part } from './entry-name.ts';
import type { DeliveredItem, DeliveredZip, Delivery } from './manifest.ts';
import { refuseWithoutSpace } from './needed-space.ts';
import { divide, type PartLimits, type PartPlan } from './parts.ts';
import { convertForPlaying, type Playing } from './playing.ts';
import { recordingObject, zipObject } from './published-object.ts';
import type { Publisher } from './publisher.ts';
import { closed, isReadFailure, READ_ATTEMPTS } from './read-ahead.ts';
import type { Transcoder } from './transcoder.ts';

/** Recordings published at a time, while the ZIP streams beside them. */
const SINGLES_AT_A_TIME = 4;
/** A ZIP is begun anew, without what cannot be read, at most so often. */
const ZIP_ATTEMPTS = 4;
/** What a ZIP has beside the bytes of a recording: its headers, and its line in the manifest. */
const ENTRY_OVERHEAD_BYTES = 512;

/** ARCHIVE_LEVEL, MAX_RESULT_BYTES and MAX_RESULT_FILES. */
export interface ArchivingLimits extends PartLimits {
  readonly level: number;
}

export interface DeliverInput {
  readonly source: RecordingSource;
  readonly publisher: Publisher;
  readonly job: string;
  readonly recordings: readonly Recording[];
  readonly expiresAt: Temporal.Instant;
  readonly archiving: ArchivingLimits;
  /** Makes recordings playable that browsers cannot play; null: nobody does. */
  readonly transcoder: Transcoder | null;
  /** Bytes that it may fill on the disk it is published on; null where that is not for us to know. */
  readonly space: () => Promise<number | null>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told how far it is, for operators. */
  readonly progress?: (text: string) => void;
}

/** What the branches of one delivery share. */
interface Scope extends Omit<DeliverInput, 'progress'> {
  readonly named: readonly NamedRecording[];
  /** By key: recordings that break off whenever they are read. */
  readonly leftOut: Map<string, RecordingFault>;
  readonly progress: DeliveryProgress;
  readonly playing: Playing;
}

/** What became of a recording, besides its place in a ZIP. */
interface Single {
  readonly key: string | null;
  readonly direct?: true;
  readonly fault: RecordingFault | null;
  readonly sizeBytes: number;
  readonly audio: AudioFacts | null;
}

interface ZipResult {
  /** Null where there was nothing to put into it. */
  readonly zip: DeliveredZip | null;
  readonly lines: readonly ManifestLine[];
}

/**
 * Publishes each recording, unless its source has links to it where it lies, and all of them in ZIPs within the
 * limits, streamed with bounded memory. Doing it again for the same job replaces what was there. A recording with a
 * fault is listed and never fails the delivery, nor does one that cannot be converted for playing.
 * @throws AppError of the publisher; `publish.no-space` before anything is published; `recordings.unavailable`; `recordings.unstable` where files kept changing
 * under the ZIP (all retriable); the signal's reason. When it throws, nothing of it goes on.
 */
export async function deliver(input: DeliverInput): Promise<Delivery> {
  const { job, recordings, source, clock, log } = input;
  const ended = new AbortController();
  const signal = AbortSignal.any([input.signal, ended.signal]);
  const named = nameRecordings(recordings);
  const parts = divide(named, input.archiving);
  const tell = input.progress ?? (() => undefined);
  const isDirect = source.direct !== null;
  using progress = trackProgress({ recordings, parts: parts.length, singles: !isDirect, clock, log, tell });
  await refuseWithoutSpace(input);
  await using playing = convertForPlaying({ ...input, named, signal });
  const scope: Scope = { ...input, signal, named, leftOut: new Map(), progress, playing };

  // The first failure ends the other branch too; both are waited for.
  const ending = async <T>(branch: Promise<T>): Promise<T> => {
    try {
      return await branch;
    } catch (error) {
      ended.abort(error);
      throw error;
    }
  };
  const singles = ending(isDirect ? Promise.resolve([]) : publishSingles(scope));
  const zips = ending(publishZips(scope, parts, singles));
  await Promise.allSettled([singles, zips]);
  input.signal.throwIfAborted();
  if (ended.signal.aborted) throw ended.signal.reason;

  const zipped = await zips;
  const published = isDirect ? foundDirectly(zipped) : await singles;
  const playKeys = await playing.finish();
  const items = named.map(({ recording, fileName }, index): DeliveredItem => {
    const { key = null, fault = null, direct, audio = null } = published[index] ?? {};
    return {
      ...{ recording: { ...recording }, key, ...(direct === true ? { direct } : {}), fault, fileName },
      ...{ seconds: audio?.seconds ?? null, playable: audio?.playable ?? true },
      playKey: playKeys.get(fileName) ?? null,
    };
  });
  const totalBytes = published.reduce((sum, single) => sum + single.sizeBytes, 0);
  return { job, expiresAt: input.expiresAt.toString(), zips: withContent(zipped), items, totalBytes };
}

/** Recordings that are heard where they lie: what could be read for the ZIP is there. In the order of the request. */
function foundDirectly(zipped: readonly ZipResult[]): readonly Single[] {
  return zipped.flatMap(({ lines }) =>
    lines.map(({ recording, sizeBytes, fault, audio }): Single => {
      if (sizeBytes === null) return notDelivered(fault);
      return { key: recording.key, direct: true, fault, sizeBytes, audio };
    }),
  );
}

/** Where not one recording could be put into any of several parts, these hold manifests alone, and count as none. */
function withContent(zipped: readonly ZipResult[]): DeliveredZip[] {
  const zips = zipped.flatMap(({ zip }) => (zip === null ? [] : [zip]));
  return zips.some(({ count }) => count > 0) ? zips : [];
}

function notDelivered(fault: RecordingFault | null): Single {
  return { key: null, fault, sizeBytes: 0, audio: null };
}

async function publishSingles(scope: Scope): Promise<readonly Single[]> {
  return mapBounded(scope.named, SINGLES_AT_A_TIME, async (one) => {
    const single = await publishSingle(scope, one);
    scope.progress.published(single.sizeBytes);
    if (single.audio !== null) scope.playing.add(one, single.audio);
    return single;
  });
}

async function publishSingle(scope: Scope, { recording, fileName }: NamedRecording): Promise<Single> {
  if (recording.archived === true) return notDelivered('archived');
  const object = recordingObject(scope.job, fileName);
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    scope.signal.throwIfAborted();
    const opened = await scope.source.open(recording, scope.signal);
    if (typeof opened === 'string') return notDelivered(opened);
    let brokeOff = false;
    opened.stream.on('error', (error) => {
      brokeOff ||= isReadFailure(error);
    });
    try {
      const sizeBytes = await scope.publisher.put(object, opened.stream, scope.signal, opened.sizeBytes);
      return { key: object.key, fault: opened.fault, sizeBytes, audio: opened.audio };
    } catch (error) {
      if (!brokeOff) throw error;
    } finally {
      await closed(opened.stream);
    }
  }
  scope.leftOut.set(recording.key, 'unreadable');
  return notDelivered('unreadable');
}

/** One after another: each is read ahead and sent in parallel by itself. */
async function publishZips(
  scope: Scope,
  plans: readonly PartPlan[],
  singles: Promise<unknown>,
): Promise<ZipResult[]> {
  const results: ZipResult[] = [];
  for (const [index, plan] of plans.entries()) {
    const result = await publishZip(scope, plan, { number: index + 1, of: plans.length }, singles);
    results.push(result);
    // What is published singly has been told of.
    if (scope.source.direct === null) continue;
    for (const line of result.lines) if (line.audio !== null) scope.playing.add(line, line.audio);
  }
  return results;
}

async function publishZip(
  scope: Scope,
  { entries, sizeBytes: expectedBytes }: PartPlan,
  part: Part,
  singles: Promise<unknown>,
): Promise<ZipResult> {
  const fileName = nameZip(scope.recordings, part);
  const object = zipObject(scope.job, fileName);
  const breaks = new Map<string, number>();
  for (let attempt = 1; attempt <= ZIP_ATTEMPTS; attempt += 1) {
    const { source, leftOut, progress, signal, archiving } = scope;
    signal.throwIfAborted();
    progress.beginPart(part.number);
    const archive = await archiveRecordings({
      ...{ source, entries, leftOut, signal, level: archiving.level, progress: progress.zipped },
      ...{ manifestName: nameManifest(part), evenEmpty: part.of > 1 },
    });
    if (archive.stream === null) return { zip: null, lines: (await archive.outcome).lines };
    try {
      const hint = expectedBytes + entries.length * ENTRY_OVERHEAD_BYTES;
      const sizeBytes = await scope.publisher.put(object, archive.stream, signal, hint);
      const { lines } = await archive.outcome;
      const count = lines.filter((line) => line.sizeBytes !== null).length;
      return { zip: { key: object.key, fileName, sizeBytes, count }, lines };
    } catch (error) {
      archive.stream.destroy();
      const { failed } = await archive.outcome;
      if (failed === null) throw error;
      const times = (breaks.get(failed.key) ?? 0) + 1;
      breaks.set(failed.key, times);
      if (times >= READ_ATTEMPTS) leftOut.set(failed.key, 'unreadable');
      // The single copies tell of every other recording whether it can be read: the next ZIP is to be the last.
      await singles;
    }
  }
  throw new AppError(
    'recordings.unstable',
    `recordings kept breaking off while the ZIP of ${scope.job} was made`,
    { retriable: true },
  );
}
