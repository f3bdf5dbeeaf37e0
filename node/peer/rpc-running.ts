import type { HttpBindings } from '@hono/node-server';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { inTime } from '../platform/in-time.ts';

/** Calls worked at a time. */
const MAX_RUNNING = 256;

/** The calls that are being worked. */
export interface RunningCalls {
  /** Works a call; its signal aborts when the caller hangs up or calls are cut. @throws AppError `rpc.too-many`, `rpc.unavailable` */
  run<T>(outgoing: HttpBindings['outgoing'], work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Takes no more; resolves when none runs, or after `graceMs`, when those that still run are told to end. */
  stop(graceMs: number): Promise<void>;
}

export function createRunningCalls(clock: Clock): RunningCalls {
  const running = new Set<AbortController>();
  const idle = Promise.withResolvers<void>();
  let stopping = false;

  return {
    run: async (outgoing, work) => {
      if (stopping) throw new AppError('rpc.unavailable', 'the node is stopping', { retriable: true });
      if (running.size >= MAX_RUNNING) throw new AppError('rpc.too-many', 'too many calls at a time');
      const controller = new AbortController();
      const end = (): void => {
        running.delete(controller);
        if (!outgoing.writableFinished) controller.abort(new AppError('rpc.hung-up', 'the caller hung up'));
        if (stopping && running.size === 0) idle.resolve();
      };
      running.add(controller);
      // Until its answer is out; one that has hung up already will not do so again.
      if (outgoing.destroyed) end();
      else outgoing.once('close', end);
      return work(controller.signal);
    },
    stop: async (graceMs) => {
      stopping = true;
      if (running.size === 0) return;
      await inTime(clock, graceMs, idle.promise);
      for (const controller of running) controller.abort(new AppError('rpc.unavailable', 'the node stops'));
    },
  };
}
