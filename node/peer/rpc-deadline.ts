import { AppError } from '../platform/errors.ts';
import type { CallOptions } from './peer.ts';

const DEFAULT_TIMEOUT_MS = 5_000;

/** Aborts with `peer.timeout` when the time is over, or with the caller's reason when the caller gives up. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

export function createDeadline(method: string, { timeoutMs, signal }: CallOptions): Deadline {
  const ms = timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const message = `the peer did not answer ${method} within ${ms} ms`;
    controller.abort(new AppError('peer.timeout', message, { retriable: true }));
  }, ms);
  const giveUp = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted === true) giveUp();
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
    },
  };
}
