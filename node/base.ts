import type { Config } from './config.ts';
import type { Clock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import type { StepObserver } from './queue/steps.ts';

/** What the parts of a node are made of. */
export interface Base {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly observeStep: StepObserver;
  readonly warnings: readonly string[];
  readonly fail: (error: unknown) => void;
  /** Closes what was opened, in the reverse order. */
  readonly closing: AsyncDisposableStack;
}
