import type { Dropbox } from '../../node/forward/dropbox.ts';
import { AppError } from '../../node/platform/errors.ts';

/** The peer's `pending/` in memory. */
export interface MemoryDropbox extends Dropbox {
  /** What lies there, by name. */
  readonly files: Map<string, Buffer>;
  /** Tries, successful or not. */
  readonly tries: number;
  /** From now on every put fails with this code, until null. */
  failWith(code: string | null): void;
}

/** `onPut` is told of each file as it lies there. */
export function createMemoryDropbox(onPut: (content: Buffer) => void = () => undefined): MemoryDropbox {
  const files = new Map<string, Buffer>();
  let failure: string | null = null;
  let tries = 0;
  return {
    files,
    get tries() {
      return tries;
    },
    failWith: (code) => {
      failure = code;
    },
    put: async (name, content, signal) => {
      tries += 1;
      signal.throwIfAborted();
      if (failure !== null) throw new AppError(failure, 'as the test wants it', { retriable: true });
      const kept = Buffer.from(content);
      files.set(name, kept);
      onPut(kept);
    },
  };
}
