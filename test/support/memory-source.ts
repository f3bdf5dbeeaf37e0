import { Readable } from 'node:stream';
import type { SourceName } from '../../protocol/job.ts';
import { AppError } from '../../node/platform/errors.ts';
import { audioFactsOf, BEGINNING_BYTES } from '../../node/recordings/audio-facts.ts';
import { byTimeThenKey, isUnderServer, matchesOf, narrow } from '../../node/recordings/match.ts';
import { type NumberOrder, parseRecordingName } from '../../node/recordings/name.ts';
import { gatherNearest } from '../../node/recordings/nearby.ts';
import type { DirectLinks, RecordingFault, RecordingSource } from '../../node/recordings/source.ts';

const CHUNK_BYTES = 64 * 1024;

/** A source of recordings in memory, held to the same contract as the one on disk. */
export interface MemorySource extends RecordingSource {
  /** By key; may be changed at any time. */
  readonly files: Map<string, Buffer>;
  /** Faults that opening gives. */
  readonly faults: Map<string, RecordingFault>;
  /** By key: how often reading breaks off half-way from now on. */
  readonly breaks: Map<string, number>;
  /** Streams that were opened and are not closed yet, and the most there ever were. */
  readonly openStreams: { now: number; most: number };
}

export interface MemorySourceOptions {
  readonly order?: NumberOrder;
  readonly name?: SourceName;
  /** Links to what lies here; none where it is left out. */
  readonly direct?: DirectLinks;
}

export function createMemorySource(
  files: Readonly<Record<string, Buffer>>,
  options: MemorySourceOptions = {},
): MemorySource {
  const content = new Map(Object.entries(files));
  const faults = new Map<string, RecordingFault>();
  const breaks = new Map<string, number>();
  const openStreams = { now: 0, most: 0 };

  const source: MemorySource = {
    name: options.name ?? 'audio',
    direct: options.direct ?? null,
    files: content,
    faults,
    breaks,
    openStreams,
    find: async (query, signal) => {
      signal.throwIfAborted();
      const server = query.server?.toLowerCase();
      const isServer = (key: string): boolean =>
        key
          .split('/')
          .slice(0, -1)
          .some((folder) => folder.toLowerCase() === server);
      const candidates = [...content.keys()].map((key) => ({ key, underServer: isServer(key) }));
      const matches = matchesOf(candidates, query, options.order ?? 'origin-dest');
      const { chosen, narrowed } = narrow(
        matches,
        candidates.some((one) => one.underServer),
        query.server,
      );
      const recordings = chosen.map(
        ({ candidate: { key }, parsed: { origin, destination, startedAt, format } }) => {
          return { key, origin, destination, startedAt, sizeBytes: content.get(key)?.length ?? 0, format };
        },
      );
      return { recordings: recordings.toSorted(byTimeThenKey), narrowedByServer: narrowed, unreadable: [] };
    },
    measure: async (query, signal) => {
      const { recordings } = await source.find(query, signal);
      return { count: recordings.length, bytes: recordings.reduce((sum, one) => sum + one.sizeBytes, 0) };
    },
    nearby: async (query, signal) => {
      signal.throwIfAborted();
      const nearest = gatherNearest(query);
      const server = query.server?.toLowerCase() ?? null;
      const isUnder = (key: string): boolean => server !== null && isUnderServer(key, server);
      for (const key of content.keys()) {
        const name = parseRecordingName(key.slice(key.lastIndexOf('/') + 1), options.order ?? 'origin-dest');
        if (name !== null) nearest.note(name, isUnder(key));
      }
      return { extensions: nearest.result([...content.keys()].some(isUnder)), days: null };
    },
    open: async (recording, signal) => {
      signal.throwIfAborted();
      const bytes = content.get(recording.key);
      if (bytes === undefined) return 'vanished';
      if (bytes.length <= 44) return 'empty';
      const fault = faults.get(recording.key) ?? null;
      if (fault !== null && fault !== 'growing' && fault !== 'broken') return fault;
      const left = breaks.get(recording.key) ?? 0;
      breaks.set(recording.key, Math.max(0, left - 1));
      const stream = streamOf(bytes, left > 0 ? Math.floor(bytes.length / 2) : null);
      openStreams.now += 1;
      openStreams.most = Math.max(openStreams.most, openStreams.now);
      stream.once('close', () => {
        openStreams.now -= 1;
      });
      const audio = audioFactsOf(recording.format, bytes.length, bytes.subarray(0, BEGINNING_BYTES));
      return { stream, sizeBytes: bytes.length, fault, audio };
    },
  };
  return source;
}

function streamOf(bytes: Buffer, breakAt: number | null): Readable {
  let position = 0;
  return new Readable({
    read() {
      if (breakAt !== null && position >= breakAt) {
        this.destroy(new AppError('recordings.unreadable', 'broke off', { retriable: true }));
        return;
      }
      const end = Math.min(position + CHUNK_BYTES, breakAt ?? bytes.length);
      this.push(position < bytes.length ? bytes.subarray(position, end) : null);
      position = end;
    },
  });
}
