import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';

/** A peer that has not said so by then has sent the confirmation, or is not going to: nobody waits longer. */
const HOLD_MS = 3_000;
/** More than a burst of mails makes; a job past these is begun at once, and at worst its result comes first. */
const MAX_HELD = 1_000;

/**
 * Jobs of the peer that are not begun before it has confirmed them to their requesters. In memory alone: after a
 * restart they begin at once.
 */
export interface Holds {
  isHeld(id: string): boolean;
  hold(id: string): void;
  /** Lets a job begin; nothing where it is not held. */
  release(id: string): void;
  /** Told when a job is held no longer. */
  onReleased(listener: () => void): void;
  close(): void;
}

export function createHolds(clock: Clock): Holds {
  const held = new Set<string>();
  const listeners = new Set<() => void>();
  const closing = new AbortController();

  const release = (id: string): void => {
    if (!held.delete(id)) return;
    for (const listener of listeners) listener();
  };

  return {
    isHeld: (id) => held.has(id),
    hold: (id) => {
      if (held.has(id) || held.size >= MAX_HELD || closing.signal.aborted) return;
      held.add(id);
      clock.sleep(HOLD_MS, closing.signal).then(
        () => release(id),
        () => undefined, // the node is stopping
      );
    },
    release,
    onReleased: (listener) => {
      listeners.add(listener);
    },
    close: () => closing.abort(new AppError('job.stopped', 'the node is stopping', { retriable: true })),
  };
}
