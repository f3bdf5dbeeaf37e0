import { mapBounded } from '../platform/concurrency.ts';
import { AppError } from '../platform/errors.ts';
import type { Recording, RecordingFault, RecordingSource } from '../recordings/source.ts';
import { archiveRecordings, isReadFailure } from './archive.ts';
import { contentTypeOf } from './content-type.ts';
import { type NamedRecording, nameRecordings, nameZip } from './entry-name.ts';
import type { DeliveredItem, Delivery } from './manifest.ts';
import type { PublishedObject, Publisher } from './publisher.ts';

/** Recordings published at a time, while the ZIP streams beside them. */
const SINGLES_AT_A_TIME = 4;
/** A recording that breaks off so often while it is read is left out. */
const READ_ATTEMPTS = 2;
/** A ZIP is begun anew, without what cannot be read, at most so often. */
const ZIP_ATTEMPTS = 4;

export interface DeliverInput {
  readonly source: RecordingSource;
  readonly publisher: Publisher;
  readonly job: string;
  readonly recordings: readonly Recording[];
  readonly expiresAt: Temporal.Instant;
  readonly signal: AbortSignal;
  /** Told how far it is, for operators. */
  readonly progress?: (text: string) => void;
}

/** What the parts of one delivery share. */
interface Scope extends DeliverInput {
  readonly named: readonly NamedRecording[];
  /** By key: recordings that break off whenever they are read. */
  readonly leftOut: Map<string, RecordingFault>;
}

interface Single {
  readonly key: string | null;
  readonly fault: RecordingFault | null;
  readonly sizeBytes: number;
}

/**
 * Publishes each recording, and all of them in one ZIP, streamed with bounded memory. Doing it again for the same
 * job replaces what was there. A recording with a fault is listed and never fails the delivery.
 * @throws AppError of the publisher; `recordings.unavailable`; `recordings.unstable` where files kept changing
 * under the ZIP (all retriable); the signal's reason. When it throws, nothing of it goes on.
 */
export async function deliver(input: DeliverInput): Promise<Delivery> {
  const { job, recordings } = input;
  const ended = new AbortController();
  const signal = AbortSignal.any([input.signal, ended.signal]);
  const scope: Scope = { ...input, signal, named: nameRecordings(recordings), leftOut: new Map() };

  // The first failure ends the other branch too; both are waited for.
  const ending = async <T>(branch: Promise<T>): Promise<T> => {
    try {
      return await branch;
    } catch (error) {
      ended.abort(error);
      throw error;
    }
  };
  const singles = ending(publishSingles(scope));
  const zip = ending(publishZip(scope, singles));
  await Promise.allSettled([singles, zip]);
  input.signal.throwIfAborted();
  if (ended.signal.aborted) throw ended.signal.reason;

  const published = await singles;
  const items = scope.named.map(({ recording, fileName }, index): DeliveredItem => {
    const { key = null, fault = null } = published[index] ?? {};
    return { recording: { ...recording }, key, fault, fileName };
  });
  const totalBytes = published.reduce((sum, single) => sum + single.sizeBytes, 0);
  return { job, expiresAt: input.expiresAt.toString(), zip: await zip, items, totalBytes };
}

/** A recording as it is published: played in the browser. */
export function recordingObject(job: string, fileName: string): PublishedObject {
  return { key: `${job}/${fileName}`, fileName, contentType: contentTypeOf(fileName), disposition: 'inline' };
}

/** The ZIP as it is published: saved. */
export function zipObject(job: string, fileName: string): PublishedObject {
  return { key: `${job}/${fileName}`, fileName, contentType: 'application/zip', disposition: 'attachment' };
}

async function publishSingles(scope: Scope): Promise<readonly Single[]> {
  let done = 0;
  return mapBounded(scope.named, SINGLES_AT_A_TIME, async (one) => {
    const single = await publishSingle(scope, one);
    done += 1;
    scope.progress?.(`published ${done} of ${scope.named.length} recordings`);
    return single;
  });
}

async function publishSingle(scope: Scope, { recording, fileName }: NamedRecording): Promise<Single> {
  const object = recordingObject(scope.job, fileName);
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    scope.signal.throwIfAborted();
    const opened = await scope.source.open(recording, scope.signal);
    if (typeof opened === 'string') return { key: null, fault: opened, sizeBytes: 0 };
    let brokeOff = false;
    opened.stream.on('error', (error) => {
      brokeOff ||= isReadFailure(error);
    });
    try {
      const sizeBytes = await scope.publisher.put(object, opened.stream, scope.signal);
      return { key: object.key, fault: opened.fault, sizeBytes };
    } catch (error) {
      if (!brokeOff) throw error;
    } finally {
      opened.stream.destroy();
    }
  }
  scope.leftOut.set(recording.key, 'unreadable');
  return { key: null, fault: 'unreadable', sizeBytes: 0 };
}

async function publishZip(scope: Scope, singles: Promise<unknown>): Promise<Delivery['zip']> {
  const fileName = nameZip(scope.recordings);
  const object = zipObject(scope.job, fileName);
  const breaks = new Map<string, number>();
  for (let attempt = 1; attempt <= ZIP_ATTEMPTS; attempt += 1) {
    scope.signal.throwIfAborted();
    const { source, named, leftOut, signal } = scope;
    const archive = await archiveRecordings({ source, entries: named, leftOut, signal });
    if (archive.stream === null) return null;
    try {
      const sizeBytes = await scope.publisher.put(object, archive.stream, signal);
      const { lines } = await archive.outcome;
      return {
        key: object.key,
        fileName,
        sizeBytes,
        count: lines.filter((line) => line.sizeBytes !== null).length,
      };
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
    {
      retriable: true,
    },
  );
}
