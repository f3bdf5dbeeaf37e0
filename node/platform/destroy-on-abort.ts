import type { Readable } from 'node:stream';

/** Destroys a stream with the signal's reason when that aborts, until disposed of. */
export function destroyOnAbort(stream: Readable, signal: AbortSignal): Disposable {
  const stop = (): void => {
    stream.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', stop, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', stop) };
}
