import type { Readable } from 'node:stream';

/** Makes recordings playable that browsers cannot play. */
export interface Transcoder {
  readonly name: 'ffmpeg' | 'sox';
  /**
   * Runs `body` through the program and gives a WAV of 16-bit samples, of a bounded size and in a bounded time. Null
   * (logged) where it cannot be converted: nothing is lost but the playing. `body` is consumed or destroyed; who gets a
   * result destroys its stream where it is not read to the end, which removes what lies on disk of it.
   * @throws the signal's reason alone
   */
  toPlayable(body: Readable, format: string, signal: AbortSignal): Promise<Converted | null>;
}

export interface Converted {
  readonly stream: Readable;
  readonly sizeBytes: number;
}
