/** Lets a loop sleep until there is something to do; a wake that comes while nobody waits is kept. */
export interface Wake {
  wake(): void;
  /** Resolves at the next wake, after `timeoutMs`, or when the signal aborts. */
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
        const timer = setTimeout(resolve, timeoutMs);
        signal.addEventListener('abort', () => resolve(), { once: true });
        wakeUp = resolve;
        await promise;
        clearTimeout(timer);
        wakeUp = null;
      }
      pending = false;
    },
  };
}
