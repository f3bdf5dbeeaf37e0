/** Something of which only so many may be in use at once; who comes later waits, first come first served. */
export interface Slots {
  /** Resolves with what gives the slot back; doing that again does nothing. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createSlots(limit: number): Slots {
  let free = limit;
  const waiting: (() => void)[] = [];

  const giveBack = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const once = (): (() => void) => {
    let isBack = false;
    return () => {
      if (isBack) return;
      isBack = true;
      giveBack();
    };
  };

  async function take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return once();
    }
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    const turn = (): void => {
      signal.removeEventListener('abort', leave);
      resolve(once());
    };
    const leave = (): void => {
      waiting.splice(waiting.indexOf(turn), 1);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', leave, { once: true });
    waiting.push(turn);
    return promise;
  }

  return { take };
}
