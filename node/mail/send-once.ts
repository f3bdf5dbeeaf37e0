import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Effect, Json } from '../queue/steps.ts';
import type { SentMail } from './mailbox.ts';
import type { Mailer, OutgoingMail, Receipt } from './mailer.ts';

export { messageIdOf } from './message-id.ts';

/** A server files what it sent a moment after it took it: so long a mail that is not there may still turn up. */
const SENT_SETTLE_MS = 15_000;
const POLL_MS = 1_000;
/** The server's answer was lost: whom it put off, if anybody, is not known. */
const FOUND: Receipt = { response: 'found in the mailbox of sent mails', deferred: [], refused: [] };
/** Of mails whose step is not done; the oldest is forgotten. */
const MAX_KNOWN = 1_000;

export interface SendOnce {
  /** `JobContext.step`. */
  step<T extends Json>(name: string, effect: Effect<T>): Promise<T>;
  readonly mailer: Mailer;
  /** In place of the mailer's `send`, for the mail as a whole: it may go out to some alone. */
  readonly send?: Mailer['send'];
  /** Null where there is no mailbox of sent mails: the mail is then sent again, with the same Message-ID. */
  readonly sent: SentMail | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told that the mail went out, before its step is done: after a crash between them again, never not at all. */
  readonly onSent?: (receipt: Receipt) => Promise<void>;
  readonly settleMs?: number;
}

/**
 * What this process knows of mails whose step is not done: `unsent` was refused before the server could have
 * taken it; `settled` was looked for long enough since, so that one look more is enough; a receipt is of one
 * that went out, which could not be recorded. Without it each retry would wait for a mail that cannot come.
 */
type Knowledge = Map<string, 'unsent' | 'settled' | Receipt>;

const knowledge = new WeakMap<Mailer, Knowledge>();

/**
 * Sends a mail as a step of a job, once. Found with an intent alone, it is first looked for by its Message-ID
 * among the mails sent. Recipients that the server puts off get it in steps of their own, the others not again.
 * Resolves with the first step's receipt when nobody is left to get it. @throws what `Mailer.send` throws;
 * `mail.unknown` (retriable) also where the mails sent cannot be looked at; the signal's reason
 */
export async function sendOnce(tools: SendOnce, stepName: string, mail: OutgoingMail): Promise<Receipt> {
  const receipt = await tools.step<Receipt>(stepName, sending(tools, mail));
  let { deferred } = receipt;
  // Each of these steps leaves fewer, or throws.
  for (let part = 1; deferred.length > 0; part += 1) {
    const name = part === 1 ? `${stepName}:rest` : `${stepName}:rest-${part}`;
    ({ deferred } = await tools.step<Receipt>(name, sendingRest(tools, { ...mail, only: deferred })));
  }
  return receipt;
}

function sending(tools: SendOnce, mail: OutgoingMail): Effect<Receipt> {
  const { messageId } = mail;
  const known = knownOf(tools.mailer);
  const settleMs = tools.settleMs ?? SENT_SETTLE_MS;
  const wentOut = async (receipt: Receipt): Promise<Receipt> => {
    remember(known, messageId, receipt);
    await tools.onSent?.(receipt);
    return receipt;
  };
  return {
    happened: async () => {
      const before = known.get(messageId);
      if (before === 'unsent') return null;
      if (typeof before === 'object') return wentOut(before);
      return (await turnsUp(tools, messageId, before === 'settled' ? 0 : settleMs)) ? wentOut(FOUND) : null;
    },
    perform: async () => {
      known.delete(messageId);
      let receipt: Receipt;
      try {
        receipt = await (tools.send ?? tools.mailer.send)(mail, tools.signal);
      } catch (error) {
        if (codeOf(error) !== 'mail.unknown') {
          remember(known, messageId, 'unsent');
          throw error;
        }
        if (await turnsUp(tools, messageId, settleMs)) return wentOut(FOUND);
        remember(known, messageId, 'settled');
        throw error;
      }
      return wentOut(receipt);
    },
  };
}

/**
 * To those who were put off. The mail of the first step hides this one among those sent: where its fate is
 * unknown it is sent again, as two mails are better than none.
 */
function sendingRest(tools: SendOnce, mail: OutgoingMail & { only: readonly string[] }): Effect<Receipt> {
  return {
    happened: async () => null,
    perform: async () => {
      try {
        return await tools.mailer.send(mail, tools.signal);
      } catch (error) {
        if (codeOf(error) !== 'mail.rejected') throw error;
        // The others have it: the mail as a whole did not fail. The mailer has warned.
        return { response: messageOf(error), deferred: [], refused: mail.only };
      }
    },
  };
}

/** Whether a mail lies among those sent, or turns up there in time. @throws AppError `mail.unknown` (retriable) */
async function turnsUp(tools: SendOnce, messageId: string, settleMs: number): Promise<boolean> {
  const { sent, clock, signal } = tools;
  if (sent === null) return false;
  const until = clock.monotonicMs() + settleMs;
  for (;;) {
    if (await lies(sent, messageId, signal)) return true;
    const left = until - clock.monotonicMs();
    if (left <= 0) return false;
    await clock.sleep(Math.min(POLL_MS, left), signal);
  }
}

/** A mailbox that is away says nothing about the mail, and is no failure of the job that sends it. */
async function lies(sent: SentMail, messageId: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await sent.contains(messageId, signal);
  } catch (error) {
    signal.throwIfAborted();
    const message = `whether the mail went out cannot be looked up: ${messageOf(error)}`;
    throw new AppError('mail.unknown', message, { retriable: true, cause: error });
  }
}

function knownOf(mailer: Mailer): Knowledge {
  const known: Knowledge = knowledge.get(mailer) ?? new Map();
  knowledge.set(mailer, known);
  return known;
}

function remember(known: Knowledge, messageId: string, what: 'unsent' | 'settled' | Receipt): void {
  known.set(messageId, what);
  const [oldest] = known.keys();
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
}
