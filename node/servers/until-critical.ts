import { AppError } from '../platform/errors.ts';

/** How long what must not be left half-way may go on after it was told to stop, and in all. */
const GRACE_MS = 20_000;
const LIMIT_MS = 300_000;

export interface CriticalGuard {
  /** For the work: aborts with the outer signal, but within the critical part only some time after it. */
  readonly signal: AbortSignal;
  /** From now on the work is brought to an end where that can be had. */
  readonly enter: () => void;
  readonly isCritical: () => boolean;
  /** To be called when it is over. */
  readonly leave: () => void;
}

/** Keeps a cancel or a shutdown from cutting work in two; has an end of its own, so that a server cannot hold it up. */
export function untilCritical(outer: AbortSignal): CriticalGuard {
  const own = new AbortController();
  const tooLong = new AppError('server.timeout', 'the server took too long over a change', {
    retriable: true,
  });
  let critical = false;
  let grace: NodeJS.Timeout | null = null;
  const stop = (): void => own.abort(outer.reason);
  const onAbort = (): void => {
    if (critical) grace ??= setTimeout(stop, GRACE_MS);
    else stop();
  };
  const limit = setTimeout(() => own.abort(tooLong), LIMIT_MS);
  if (outer.aborted) onAbort();
  else outer.addEventListener('abort', onAbort, { once: true });
  return {
    signal: own.signal,
    enter: () => {
      critical = true;
    },
    isCritical: () => critical,
    leave: () => {
      outer.removeEventListener('abort', onAbort);
      clearTimeout(limit);
      if (grace !== null) clearTimeout(grace);
    },
  };
}
