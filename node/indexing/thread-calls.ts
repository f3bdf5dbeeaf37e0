import { AppError } from '../platform/errors.ts';
import type { IndexVerdict } from '../recordings/recording-index.ts';
import type { FromThread, SettleAnswer, ToThread } from './messages.ts';

/** What a call comes to; null where there is no index to be used. */
export type Answer = SettleAnswer | IndexVerdict | null;

/** Calls to an index's thread by messages, each with a number, and who waits for their answers. */
export interface ThreadCalls {
  /** Null where the thread dies meanwhile. Rejects as what was asked for does; with the signal's reason. */
  ask(messageOf: (id: number) => ToThread, signal: AbortSignal): Promise<Answer>;
  /** Hands an answer to whoever waits for it; nobody may. */
  answered(message: Extract<FromThread, { readonly id: number }>): void;
  /** No answer comes any more: all who wait have the error; without one they have null. */
  end(error: AppError | null): void;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export function createThreadCalls(post: (message: ToThread) => void): ThreadCalls {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;

  return {
    ask: async (messageOf, signal) => {
      signal.throwIfAborted();
      lastId += 1;
      const id = lastId;
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const abort = (): void => {
        post({ kind: 'abort', id });
        reject(signal.reason);
      };
      waiting.set(id, { resolve, reject });
      signal.addEventListener('abort', abort, { once: true });
      post(messageOf(id));
      try {
        return await promise;
      } finally {
        signal.removeEventListener('abort', abort);
        waiting.delete(id);
      }
    },
    answered: (message) => {
      const caller = waiting.get(message.id);
      if (message.kind === 'settled') caller?.resolve(message.answer);
      else if (message.kind === 'verified') caller?.resolve(message.verdict);
      else {
        const { code, message: text, retriable } = message.error;
        caller?.reject(new AppError(code, text, { retriable }));
      }
    },
    end: (error) => {
      for (const { resolve, reject } of waiting.values()) {
        if (error === null) resolve(null);
        else reject(error);
      }
      waiting.clear();
    },
  };
}
