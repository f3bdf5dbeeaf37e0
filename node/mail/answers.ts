import type { Job } from '../../protocol/job.ts';
import type { Audit } from '../audit.ts';
import type { JobContext } from '../commands/command.ts';
import type { Clock } from '../platform/clock.ts';
import type { ReplyMail } from '../replies/views.ts';
import type { SentMail } from './mailbox.ts';
import type { Mailer, Receipt } from './mailer.ts';
import { messageIdOf, sendOnce } from './send-once.ts';

/** Kinds of answers; each is sent once for a generation of a job. */
export type AnswerKind = 'confirmation' | 'result' | 'refusal' | 'failed' | 'delayed' | 'notice';

/** To whom an answer goes besides the admin. */
export interface Audience {
  /** False for what only the admin is to know. */
  readonly toRequester: boolean;
}

/** Sends the answers of jobs. */
export interface Answers {
  /**
   * Sends a mail as a step of the job: to the admin, the requester in copy if another, in the request's thread.
   * Resolves when the SMTP server has it. @throws AppError as `Mailer.send`
   */
  send(job: Job, context: JobContext, kind: AnswerKind, mail: ReplyMail, audience?: Audience): Promise<void>;
}

export interface AnswersOptions {
  readonly mailer: Mailer;
  readonly sent: SentMail | null;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly adminEmail: string;
  /** Address in From; its domain makes the Message-IDs. */
  readonly from: string;
}

export function createAnswers(options: AnswersOptions): Answers {
  const { mailer, sent, clock, audit, adminEmail } = options;
  return {
    send: async (job, context, kind, mail, { toRequester } = { toRequester: true }) => {
      const { requester, messageId, references } = job.request;
      const cc = toRequester && requester !== null && requester !== adminEmail ? [requester] : [];
      const id = messageIdOf(job.id, kind, job.generation, options.from);
      const to = [adminEmail, ...cc];
      // Before the step is done: a crash between them leaves a second entry, never a mail without one.
      const onSent = ({ deferred, refused }: Receipt): Promise<void> =>
        audit.record({ event: 'mail.sent', job: job.id, kind, messageId: id, to, deferred, refused });
      const tools = { step: context.step, mailer, sent, clock, signal: context.signal, onSent };
      await sendOnce(tools, `mail:${kind}`, {
        ...mail,
        messageId: id,
        to: [adminEmail],
        cc,
        inReplyTo: messageId,
        references: messageId === null ? references : [...references, messageId],
      });
    },
  };
}
