import type { Mailbox, MailboxSession } from '../mail/mailbox.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Acceptance } from './arrival.ts';
import { catchUp } from './catch-up.ts';
import type { Ledger } from './ledger.ts';
import { createIntake, type Intake } from './intake.ts';
import type { Known } from './known.ts';
import { createPatience } from './patience.ts';
import { reconnectDelayMs } from './reconnect.ts';

/** A hint may be lost: the mailbox is read again after so long without one. */
const REREAD_MS = 5 * 60_000;
/** A connection that ends sooner did not help: the wait before the next goes on growing. */
const YOUNG_MS = 60_000;

export type IngestState = 'stopped' | 'connecting' | 'working' | 'watching' | 'waiting' | 'paused';

export interface IngestStatus {
  /** `waiting` is between two connections. */
  readonly state: IngestState;
  readonly connectedSince: Temporal.Instant | null;
  /** When the last mail was dealt with. */
  readonly lastMailAt: Temporal.Instant | null;
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly at: Temporal.Instant;
  } | null;
}

/** The master's loop: from the mailbox to accepted jobs. */
export interface Ingest {
  /** Watches the mailbox until the signal aborts or `stop` is called; resolves when the mail in hand is done with. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends `run`; resolves when the mail in hand is done with and the session is closed. */
  stop(): Promise<void>;
  /** Closes the mailbox after the mail in hand, until `resume`. */
  pause(): void;
  resume(): void;
  status(): IngestStatus;
}

export interface IngestOptions {
  readonly mailbox: Mailbox;
  readonly ledger: Ledger;
  readonly known: Known;
  readonly acceptance: Acceptance;
  readonly clock: Clock;
  readonly log: Log;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  /** MAIL_MAX_BYTES: of a larger mail the headers alone are read. */
  readonly maxBytes: number;
  readonly rereadMs?: number;
}

export function createIngest(options: IngestOptions): Ingest {
  const { mailbox, clock, log } = options;
  const patience = createPatience(clock);
  let stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let pause: { readonly signal: AbortSignal; abort(): void } = new AbortController();
  let resumed = Promise.withResolvers<void>();
  let paused = false;
  const status: { -readonly [K in keyof IngestStatus]: IngestStatus[K] } = {
    state: 'stopped',
    connectedSince: null,
    lastMailAt: null,
    lastError: null,
  };

  const failed = (error: unknown): void => {
    status.lastError = { code: codeOf(error), message: messageOf(error), at: clock.now() };
  };

  /** One connection, from its opening to its end. */
  const serve = async (signal: AbortSignal): Promise<void> => {
    status.state = 'connecting';
    const session = await mailbox.open(signal);
    status.connectedSince = clock.now();
    try {
      const intake = createIntake({
        ...options,
        session,
        patience,
        onMail: () => (status.lastMailAt = clock.now()),
        onError: failed,
      });
      status.state = 'working';
      const { ledger, known } = options;
      log.info(await catchUp({ session, intake, ledger, known, clock, signal }));
      await watch(session, intake, signal);
    } finally {
      status.connectedSince = null;
      await session.close();
    }
  };

  const watch = async (session: MailboxSession, intake: Intake, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      status.state = 'working';
      const sentence = await intake.drain(signal);
      if (sentence !== null) log.info(sentence);
      status.state = 'watching';
      const why = signal.aborted ? 'stop' : await session.waitForMail(options.rereadMs ?? REREAD_MS, signal);
      log.debug(why === 'hint' ? 'the server hints at new mail' : 'reading the mailbox again');
    }
  };

  /** Connects again and again; what a connection ends with is the sentence of its cycle. */
  const loop = async (signal: AbortSignal): Promise<void> => {
    let failures = 0;
    while (!signal.aborted) {
      if (paused) {
        status.state = 'paused';
        await Promise.race([resumed.promise, aborted(signal)]);
        continue;
      }
      const until = AbortSignal.any([signal, pause.signal]);
      const begun = clock.monotonicMs();
      try {
        await serve(until);
      } catch (error) {
        if (until.aborted) continue;
        failed(error);
        failures = clock.monotonicMs() - begun > YOUNG_MS ? 1 : failures + 1;
        const waitMs = reconnectDelayMs(failures, codeOf(error), options.random);
        log.warn(`connecting again in ${Math.round(waitMs / 100) / 10} s`, {
          code: codeOf(error),
          reason: messageOf(error),
        });
        status.state = 'waiting';
        await clock.sleep(waitMs, until).catch(() => undefined); // stopped or paused meanwhile: the loop looks
      }
    }
  };

  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };

  return {
    run: (signal) => {
      stopping = new AbortController();
      running = loop(AbortSignal.any([signal, stopping.signal])).finally(() => (status.state = 'stopped'));
      return running;
    },
    stop,
    pause: () => {
      if (paused) return;
      paused = true;
      resumed = Promise.withResolvers();
      pause.abort();
    },
    resume: () => {
      if (!paused) return;
      paused = false;
      pause = new AbortController();
      resumed.resolve();
    },
    status: () => ({ ...status }),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
