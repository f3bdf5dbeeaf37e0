import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Transcoder } from '../../node/delivery/transcoder.ts';

/** A transcoder in memory: what it makes is the recording with a word before it. */
export interface MemoryTranscoder extends Transcoder {
  /** Formats as they were asked for, in order. */
  readonly asked: string[];
  /** Conversions under way, and the most there ever were. */
  readonly running: { now: number; most: number };
  /** Waited for before each is converted. */
  hold: Promise<unknown> | null;
  /** Formats that it cannot convert. */
  readonly unknown: Set<string>;
}

export const CONVERTED = Buffer.from('converted: ');

export function createMemoryTranscoder(): MemoryTranscoder {
  const running = { now: 0, most: 0 };
  const transcoder: MemoryTranscoder = {
    name: 'sox',
    asked: [],
    running,
    hold: null,
    unknown: new Set(),
    toPlayable: async (body, format, signal) => {
      transcoder.asked.push(format);
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      try {
        const { promise: aborted, reject } = Promise.withResolvers<never>();
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        aborted.catch(() => undefined); // where it is over first
        await Promise.race([transcoder.hold, aborted]);
        signal.throwIfAborted();
        if (transcoder.unknown.has(format)) return null;
        const content = await buffer(body).catch(() => null); // it broke off
        if (content === null) return null;
        const made = Buffer.concat([CONVERTED, content]);
        return { stream: Readable.from([made]), sizeBytes: made.length };
      } finally {
        running.now -= 1;
        body.destroy();
      }
    },
  };
  return transcoder;
}
