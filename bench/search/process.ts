import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Asked } from './names.ts';
import type { Memory, Order, Refreshed, Timed } from './ours.ts';

/** Our side, in a process of its own: its memory is its own, and nothing of the bench is in its way. */
export interface Ours extends AsyncDisposable {
  /** Opens the index that lies there, or builds one; how long that took. */
  open(watched?: boolean): Promise<number>;
  query(asked: readonly Asked[]): Promise<Timed[]>;
  one(how: 'find' | 'walk' | 'pruned' | 'cold-query', asked: Asked): Promise<Timed>;
  refresh(order: Omit<Extract<Order, { do: 'refresh' }>, 'do'>): Promise<Refreshed>;
  memory(): Promise<Memory>;
}

type Answer = { readonly answer: unknown } | { readonly error: string };

export function startOurs(root: string, directory: string): Ours {
  const child = fork(join(import.meta.dirname, 'ours.ts'), { stdio: 'inherit' });
  const ask = async <T>(order: Order): Promise<T> => {
    child.send(order);
    return (await answerOf(child)) as T;
  };
  return {
    open: (watched = true) => ask({ do: 'open', root, directory, watched }),
    query: (asked) => ask({ do: 'query', asked }),
    one: (how, asked) => ask({ do: how, asked }),
    refresh: (order) => ask({ do: 'refresh', ...order }),
    memory: () => ask({ do: 'memory' }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      await ask({ do: 'close' }).catch(() => undefined); // ended anyway
      child.kill();
      await ended;
    },
  };
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`our side ended with ${code}`);
  });
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Answer];
    if ('error' in answer) throw new Error(answer.error);
    return answer.answer;
  } finally {
    over.abort();
    ended.catch(() => undefined); // aborted
  }
}
