import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { AudioFacts, OpenedRecording, RecordingFault, RecordingSource } from '../recordings/source.ts';
import type { NamedRecording } from './entry-name.ts';
import { playingObject } from './published-object.ts';
import type { Publisher } from './publisher.ts';
import { closed } from './read-ahead.ts';
import type { Transcoder } from './transcoder.ts';

/** Conversions at a time, each a process. */
const AT_A_TIME = 2;
/** A recording that is larger is only delivered: eleven hours of GSM. */
const MAX_CONVERTED_BYTES = 64 * 1024 * 1024;
/** What a conversion makes of a byte, at most (33 bytes of GSM are 320 of samples). */
const EXPANSION = 10;
/** What is not converted so long after all else was delivered, is not: the answer does not wait for it. */
const LONGER_MS = 120_000;

export interface PlayingOptions {
  readonly source: RecordingSource;
  readonly publisher: Publisher;
  readonly job: string;
  /** All of the delivery: no other object may be called as one of them. */
  readonly named: readonly NamedRecording[];
  /** Null: nothing is converted. */
  readonly transcoder: Transcoder | null;
  /** As in `DeliverInput`. */
  readonly space: () => Promise<number | null>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * What is made for playing of recordings that browsers cannot play, while the rest of a delivery goes on. Nothing that
 * goes wrong here fails a delivery. Disposing of it ends what is under way, and waits for that.
 */
export interface Playing extends AsyncDisposable {
  /** To be told of each recording that is delivered, once, before `finish`. */
  add(one: NamedRecording, audio: AudioFacts): void;
  /** Where the converted recordings are published, by `fileName`; waits for them a bounded time. */
  finish(): Promise<ReadonlyMap<string, string>>;
}

/** Begins to convert what is told of by `add`. See {@link Playing}. */
export function convertForPlaying(options: PlayingOptions): Playing {
  const { transcoder, clock, log } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const nameOf = namePlaying(options.named);
  const keys = new Map<string, string>();
  const queue: NamedRecording[] = [];
  const runs: Promise<void>[] = [];
  let running = 0;
  let asked = 0;

  const run = async (by: Transcoder): Promise<void> => {
    for (let one = queue.shift(); one !== undefined && !signal.aborted; one = queue.shift()) {
      const key = `${options.job}/${nameOf(one)}`;
      if (await convert({ ...options, signal }, by, one, key)) keys.set(one.fileName, key);
    }
    running -= 1;
  };

  return {
    add: (one, { playable }) => {
      if (transcoder === null || playable || signal.aborted) return;
      asked += 1;
      queue.push(one);
      if (running >= AT_A_TIME) return;
      running += 1;
      runs.push(run(transcoder));
    },
    finish: async () => {
      const over = new AbortController();
      const bell = clock.sleep(LONGER_MS, over.signal).then(
        () => ended.abort(new AppError('transcode.too-slow', 'all else is delivered')),
        () => undefined, // all was converted first
      );
      await Promise.all(runs);
      over.abort();
      await bell;
      options.signal.throwIfAborted();
      if (asked > 0) log.info('converted recordings for playing', { asked, converted: keys.size });
      return keys;
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort(new Error('the delivery is over'));
      await Promise.all(runs);
    },
  };
}

/** Whether it is published under `key`. Never a rejection. */
async function convert(
  { source, publisher, space, log, signal }: PlayingOptions,
  transcoder: Transcoder,
  { recording, fileName }: NamedRecording,
  key: string,
): Promise<boolean> {
  const { sizeBytes, format } = recording;
  let opened: OpenedRecording | RecordingFault | null = null;
  try {
    const freeBytes = await space();
    const isTooMuch = freeBytes !== null && freeBytes < sizeBytes * EXPANSION;
    if (isTooMuch || sizeBytes > MAX_CONVERTED_BYTES) return false;
    opened = await source.open(recording, signal);
    if (typeof opened === 'string') return false;
    const made = await transcoder.toPlayable(opened.stream, format, signal);
    if (made === null) return false;
    try {
      await publisher.put(playingObject(key), made.stream, signal, made.sizeBytes);
      return true;
    } finally {
      await closed(made.stream);
    }
  } catch (error) {
    if (signal.aborted) return false;
    log.warn('what was converted for playing could not be published', {
      ...{ fileName, code: codeOf(error), cause: messageOf(error) },
    });
    return false;
  } finally {
    if (opened !== null && typeof opened !== 'string') await closed(opened.stream);
  }
}

/** `<base>.tocar.wav`, or with the extension before it where another recording has that name. */
function namePlaying(named: readonly NamedRecording[]): (one: NamedRecording) => string {
  const taken = new Set(named.map(({ fileName }) => fileName.toLowerCase()));
  return ({ fileName }) => {
    const base = fileName.slice(0, fileName.lastIndexOf('.'));
    for (let number = 0; ; number += 1) {
      const stem = number === 0 ? base : number === 1 ? fileName : `${fileName}-${number}`;
      const name = `${stem}.tocar.wav`;
      if (taken.has(name.toLowerCase())) continue;
      taken.add(name.toLowerCase());
      return name;
    }
  };
}
