/** Lets a loop sleep until there is something to do; a wake that comes while nobody waits is kept. */
export interface Wake {
  wake(): void;
  /** Resolves at the next wake, after `timeoutMs`, or when the signal aborts. For one loop at a time. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

export function createWake(): Wake {
  let pending = false;
  let wakeUp: (() => void) | null = null;
  return {
    wake: () => {
      pending = true;
      wakeUp?.();
    },
    wait: async (timeoutMs, signal) => {
      if (!pending && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const end = (): void => resolve();
        const timer = setTimeout(end, timeoutMs);
        signal.addEventListener('abort', end, { once: true });
        wakeUp = end;
        await promise;
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        wakeUp = null;
      }
      pending = false;
    },
  };
}
