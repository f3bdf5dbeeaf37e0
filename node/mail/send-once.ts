import type { Clock } from '../platform/clock.ts';
import { codeOf } from '../platform/errors.ts';
import type { Effect, Json } from '../queue/steps.ts';
import type { SentMail } from './mailbox.ts';
import type { Mailer, OutgoingMail } from './mailer.ts';

export { messageIdOf } from './message-id.ts';

/** A server files what it sent a moment after it took it: so long a mail that is not there may still turn up. */
const SENT_SETTLE_MS = 15_000;
const POLL_MS = 1_000;
const FOUND = 'found in the mailbox of sent mails';
/** Of mails that were given up; the oldest is forgotten. */
const MAX_KNOWN = 1_000;

export interface SendOnce {
  /** `JobContext.step`. */
  step<T extends Json>(name: string, effect: Effect<T>): Promise<T>;
  readonly mailer: Mailer;
  /** Null where there is no mailbox of sent mails: the mail is then sent again, with the same Message-ID. */
  readonly sent: SentMail | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly settleMs?: number;
}

/**
 * What this process knows of mails whose sending did not succeed: `unsent` was refused before the server could
 * have taken it; `settled` was looked for long enough since, so that one look more is enough. Without it each
 * retry would wait for a mail that cannot come.
 */
type Knowledge = Map<string, 'unsent' | 'settled'>;

const knowledge = new WeakMap<Mailer, Knowledge>();

/**
 * Sends a mail as a step of a job, once. Found with an intent alone, it is first looked for by its Message-ID
 * among the mails sent. Gives the server's answer. @throws what `Mailer.send` and `SentMail.contains` throw
 */
export function sendOnce(tools: SendOnce, stepName: string, mail: OutgoingMail): Promise<string> {
  const known: Knowledge = knowledge.get(tools.mailer) ?? new Map();
  knowledge.set(tools.mailer, known);
  const { messageId } = mail;

  const turnsUp = async (settleMs: number): Promise<boolean> => {
    if (tools.sent === null) return false;
    const until = tools.clock.monotonicMs() + settleMs;
    for (;;) {
      if (await tools.sent.contains(messageId, tools.signal)) return true;
      const left = until - tools.clock.monotonicMs();
      if (left <= 0) return false;
      await tools.clock.sleep(Math.min(POLL_MS, left), tools.signal);
    }
  };

  const settleMs = tools.settleMs ?? SENT_SETTLE_MS;
  return tools.step<string>(stepName, {
    happened: async () => {
      if (known.get(messageId) === 'unsent') return null;
      const found = await turnsUp(known.get(messageId) === 'settled' ? 0 : settleMs);
      return found ? FOUND : null;
    },
    perform: async () => {
      known.delete(messageId);
      try {
        return await tools.mailer.send(mail, tools.signal);
      } catch (error) {
        if (codeOf(error) !== 'mail.unknown') {
          remember(known, messageId, 'unsent');
          throw error;
        }
        if (await turnsUp(settleMs)) return FOUND;
        remember(known, messageId, 'settled');
        throw error;
      }
    },
  });
}

function remember(known: Knowledge, messageId: string, what: 'unsent' | 'settled'): void {
  known.set(messageId, what);
  const [oldest] = known.keys();
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
}
