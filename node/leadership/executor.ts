import { messageOf } from '../platform/errors.ts';
import { askPeer, callPeer } from './calls.ts';
import type { Effect, Event, Self, State } from './events.ts';
import { createInboxSwitch } from './inbox-switch.ts';
import type { LeadershipOptions, Timing } from './ports.ts';
import type { RoleRecord } from './record.ts';
import { roleOf } from './state.ts';

export interface ExecutorOptions extends Omit<LeadershipOptions, 'self' | 'timing'> {
  readonly self: Self;
  readonly timing: Timing;
  readonly state: () => State;
  /** How an effect went; never called from within `run`. */
  readonly onEvent: (event: Event) => void;
}

/** Effects that reach out of the process; how they went comes back as events. */
export type OuterEffect = Exclude<Effect, { do: 'answer' | 'say' | 'alert' }>;

export interface Executor {
  run(effect: OuterEffect): void;
  /** Begins to ask the peer at its times. */
  start(): void;
  /** Ends that, closes the inbox and waits for what is being written. */
  stop(): Promise<void>;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { self, store, ledger, peer, clock, log, timing, onEvent } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const inbox = createInboxSwitch(options.inbox, (error) =>
    log.error('the mailbox could not be closed', { reason: messageOf(error) }),
  );
  let polling: Promise<void> = Promise.resolve();
  let asking: Promise<void> | null = null;
  let writing: Promise<void> = Promise.resolve();

  /** Work with a bound: it is told to end, and not waited for any longer. */
  const within = async (ms: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    const over = new AbortController();
    const late = clock.sleep(ms, AbortSignal.any([over.signal, signal])).then(() => {
      throw new Error(`not done within ${ms / 1000} s`);
    });
    late.catch(() => undefined); // of interest only where it comes first
    try {
      await Promise.race([work(AbortSignal.any([over.signal, signal])), late]);
    } finally {
      over.abort();
    }
  };
  /** Runs a step and reports its end, either way. */
  const step = (work: () => Promise<void>, done: () => Event, failed: (reason: string) => Event): void => {
    work().then(
      () => onEvent(done()),
      (error: unknown) => onEvent(failed(messageOf(error))),
    );
  };

  const ask = (): Promise<void> => {
    if (peer === null) return Promise.resolve();
    const starting = options.state().doing?.kind === 'starting';
    asking ??= askPeer(peer, starting ? timing.startAskMs : timing.askMs, signal).then((event) => {
      asking = null; // the event may ask again
      onEvent(event);
    });
    return asking;
  };
  const poll = async (): Promise<void> => {
    let askedMs = clock.monotonicMs();
    while (!signal.aborted) {
      await clock.sleep(timing.unsurePollMs, signal).catch(() => undefined); // stopping: the loop looks
      // The role may have changed meanwhile, and with it how soon the next question is due.
      if (signal.aborted || clock.monotonicMs() - askedMs < pollMs(options.state(), timing)) continue;
      if (peer === null) onEvent({ type: 'tick' });
      else await ask();
      askedMs = clock.monotonicMs();
    }
  };

  const persist = (record: RoleRecord, ticket: number): void => {
    const write = store.write(record);
    writing = write.catch(() => undefined); // told below
    step(
      () => write,
      () => {
        audit(record);
        return { type: 'persisted', ticket };
      },
      (reason) => ({ type: 'persist-failed', ticket, reason }),
    );
  };
  const audit = ({ role, term, how, handoffId, grant }: RoleRecord): void => {
    const event = { event: 'leadership.changed', role, term, how, handoff: handoffId, grantedTo: grant?.to };
    options.record(event).catch((error: unknown) => {
      log.error('a change of role is missing in the audit log', { reason: messageOf(error) });
    });
  };

  const run = (effect: OuterEffect): void => {
    switch (effect.do) {
      case 'persist':
        return persist(effect.record, effect.ticket);
      case 'open-inbox':
        return inbox.open();
      case 'close-inbox': {
        const { ticket } = effect;
        const closed = inbox.close();
        if (ticket === null) return;
        return step(
          () => within(timing.closeMs, () => closed),
          () => ({ type: 'inbox-closed', ticket }),
          (why) => ({ type: 'inbox-stuck', ticket, reason: `the mail in hand: ${why}` }),
        );
      }
      case 'send-tail': {
        const { ticket } = effect;
        return step(
          () => within(timing.tailMs, (until) => ledger.flush(until)),
          () => ({ type: 'tail-sent', ticket, watermark: ledger.watermark() }),
          (why) => ({ type: 'tail-failed', ticket, reason: `the rest of the ledger: ${why}` }),
        );
      }
      case 'adopt-watermark':
      case 'require-rescan': {
        const { ticket } = effect;
        const prepare = (): Promise<void> =>
          effect.do === 'adopt-watermark' ? ledger.adopt(effect.watermark) : ledger.requireRescan();
        return step(
          () => within(timing.prepareMs, prepare),
          () => ({ type: 'prepared', ticket }),
          (why) => ({ type: 'prepare-failed', ticket, reason: `the ledger: ${why}` }),
        );
      }
      case 'ask-peer':
        ask().catch((error: unknown) => log.error('asking the peer failed', { reason: messageOf(error) }));
        return;
      case 'call-peer':
        if (peer === null) return;
        callPeer(peer, self.nodeId, effect, timing.handoffMs, signal)
          .then(onEvent)
          .catch((error: unknown) => log.error('a handoff failed', { reason: messageOf(error) }));
        return;
    }
  };

  return {
    run,
    start: () => {
      polling = poll().catch((error: unknown) =>
        log.error('the peer is no longer asked', { reason: messageOf(error) }),
      );
    },
    stop: async () => {
      stopping.abort();
      const closed = inbox.close().catch(() => undefined); // has been logged
      await Promise.all([closed, polling, asking, writing]);
    },
  };
}

/** Somebody waits for what the peer will say, as long as it says anything. */
function pollMs(state: State, timing: Timing): number {
  const { doing, peer } = state;
  const role = roleOf(state);
  const unsure = doing !== null && 'phase' in doing && doing.phase === 'unsure';
  if ((unsure || role === 'fenced') && peer.away === null) return timing.unsurePollMs;
  return role === 'master' && !unsure ? timing.masterPollMs : timing.slavePollMs;
}
