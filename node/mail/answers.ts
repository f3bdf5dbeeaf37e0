import type { Job } from '../../protocol/job.ts';
import type { Audit } from '../audit.ts';
import type { JobContext } from '../commands/command.ts';
import type { ReplyMail } from '../replies/views.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import { type Budgeting, sendWithin } from './budgeted.ts';
import type { SentMail } from './mailbox.ts';
import type { Mailer, Receipt } from './mailer.ts';
import { messageIdOf, sendOnce } from './send-once.ts';

/** Kinds of answers; each is sent once for a generation of a job. */
export type AnswerKind = 'confirmation' | 'result' | 'followup' | 'refusal' | 'failed' | 'delayed' | 'notice';

/** To whom an answer goes besides the admin. */
export interface Audience {
  /** False for what only the admin is to know. */
  readonly toRequester: boolean;
  /** True where every admin is to know, not the first alone. */
  readonly toAllAdmins?: boolean;
}

/** Sends the answers of jobs. */
export interface Answers {
  /**
   * Sends a mail as a step of the job: to the admin, the requester in copy if another, in the request's thread.
   * Resolves when the SMTP server has it, or where the day's mails are used up when it is on disk for a digest.
   * @throws AppError as `Mailer.send`
   */
  send(job: Job, context: JobContext, kind: AnswerKind, mail: ReplyMail, audience?: Audience): Promise<void>;
}

/** Sends digests of what was held back. */
export interface DigestMails {
  /** When there is room for a digest to somebody; null where there is now. */
  digestAt(to: string): Temporal.Instant | null;
  /**
   * Sends a digest to one person alone, as a step of its job. `answers`: Message-IDs of the mails that are in it.
   * @throws AppError as `Mailer.send`; `mail.unavailable` (retriable) where there is no room for it
   */
  sendDigest(
    job: Job,
    context: JobContext,
    to: string,
    mail: ReplyMail,
    answers: readonly string[],
  ): Promise<void>;
}

export interface AnswersOptions extends Budgeting {
  readonly sent: SentMail | null;
  readonly audit: Audit;
  /** Addresses of all admins; the first one gets a copy of every answer. */
  readonly admins: () => readonly string[];
  /** Address in From; its domain makes the Message-IDs. */
  readonly from: string;
}

export function createAnswers(options: AnswersOptions): Answers & DigestMails {
  const { mailer, sent, clock, audit, held, budget, from } = options;
  const toolsOf = ({ step, signal }: JobContext) => ({ step, mailer, sent, clock, signal });
  return {
    send: async (job, context, kind, mail, audience = { toRequester: true }) => {
      const { messageId, references } = job.request;
      const { to, cc } = recipientsOf(job, options.admins(), audience);
      const id = messageIdOf(job.id, kind, job.generation, from);
      const isCopy = (address: string): boolean => cc.length > 0 && to.includes(address);
      const shareOf = (address: string) => (isCopy(address) ? 'copy' : 'answer');
      // Before the step is done: a crash between them leaves a second entry, never a mail without one.
      const onSent = ({ deferred, refused }: Receipt): Promise<void> => {
        const back = held.recipientsOf(id);
        const reached = [...to, ...cc].filter((address) => !back.includes(address));
        const event = reached.length > 0 ? 'mail.sent' : 'mail.held';
        const whom = {
          to: reached,
          copies: reached.filter(isCopy),
          ...(back.length > 0 ? { held: back } : {}),
        };
        return audit.record({ event, job: job.id, kind, messageId: id, ...whom, deferred, refused });
      };
      const send: Mailer['send'] = (outgoing, signal) =>
        sendWithin(options, { job: job.id, kind, shareOf }, outgoing, signal);
      await sendOnce({ ...toolsOf(context), send, onSent }, `mail:${kind}`, {
        ...mail,
        ...{ messageId: id, to, cc, inReplyTo: messageId },
        references: messageId === null ? references : [...references, messageId],
      });
    },
    digestAt: (to) => {
      const at = budget.freeAt(to, 'digest');
      return Temporal.Instant.compare(at, clock.now()) > 0 ? at : null;
    },
    sendDigest: async (job, context, to, mail, answers) => {
      const kind = 'digest';
      const id = messageIdOf(job.id, kind, job.generation, from);
      const onSent = ({ deferred, refused }: Receipt): Promise<void> =>
        audit.record({
          event: 'mail.sent',
          job: job.id,
          kind,
          messageId: id,
          to: [to],
          answers,
          deferred,
          refused,
        });
      const send: Mailer['send'] = async (outgoing, signal) => {
        const place = budget.take(to, 'digest');
        if (place === null) {
          throw new AppError('mail.unavailable', 'no room for a digest today', { retriable: true });
        }
        try {
          return await mailer.send(outgoing, signal);
        } catch (error) {
          if (codeOf(error) !== 'mail.unknown') place.giveBack();
          if (codeOf(error) === 'mail.rejected') {
            await audit.record({ event: 'mail.rejected', job: job.id, kind, to: [to], answers });
          }
          throw error;
        }
      };
      const alone = { to: [to], cc: [], inReplyTo: null, references: [] };
      await sendOnce({ ...toolsOf(context), send, onSent }, `mail:${kind}`, {
        ...mail,
        ...alone,
        messageId: id,
      });
    },
  };
}

/** The admin, or all of them; the requester in copy if another. */
function recipientsOf(
  { request: { requester } }: Job,
  admins: readonly string[],
  { toRequester, toAllAdmins = false }: Audience,
): { readonly to: readonly string[]; readonly cc: readonly string[] } {
  const to = toAllAdmins ? admins : admins.slice(0, 1);
  const isAdmin = to.some((admin) => admin.toLowerCase() === requester?.toLowerCase());
  return { to, cc: toRequester && requester !== null && !isAdmin ? [requester] : [] };
}
