/** Those that wait for something by its id; each may stop waiting without the others noticing. */
export interface Waiting<T> {
  /** Begins to wait; `forget` ends it. */
  for(id: string): { readonly promise: Promise<T>; forget(): void };
  tell(id: string, value: T): void;
  /** Tells all that there will be no answer. */
  fail(error: Error): void;
}

export function createWaiting<T>(): Waiting<T> {
  const waiting = new Set<{ readonly id: string } & PromiseWithResolvers<T>>();
  return {
    for: (id) => {
      const one = { id, ...Promise.withResolvers<T>() };
      one.promise.catch(() => undefined); // whoever waits hears of it; one that has stopped does not care
      waiting.add(one);
      return { promise: one.promise, forget: () => waiting.delete(one) };
    },
    tell: (id, value) => {
      for (const one of waiting) if (one.id === id) one.resolve(value);
    },
    fail: (error) => {
      for (const one of waiting) one.reject(error);
    },
  };
}
