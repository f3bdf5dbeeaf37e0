import type { Mailer, OutgoingMail } from '../../node/mail/mailer.ts';
import { AppError } from '../../node/platform/errors.ts';

export type MailFailure = 'mail.rejected' | 'mail.unavailable' | 'mail.unknown';

interface Part {
  readonly deferred?: readonly string[];
  readonly refused?: readonly string[];
}

/** A mailer in memory, held to the same contract as the SMTP one. */
export interface MemoryMailer extends Mailer {
  /** What a server took responsibility for. */
  readonly sent: readonly OutgoingMail[];
  /** The next mail fails so; `mail.unknown` with `taken` is one that the server has all the same. */
  failNext(code: MailFailure, taken?: boolean): void;
  /** The next mail is taken but for these of its recipients; the one after it fails, if told so. */
  partNext(part: Part, then?: MailFailure): void;
}

/** `onTaken` is told of each mail as a server files it, as into a mailbox of sent mails. */
export function createMemoryMailer(onTaken: (mail: OutgoingMail) => void = () => undefined): MemoryMailer {
  const sent: OutgoingMail[] = [];
  /** What becomes of the next mails; those after them are taken. */
  const fates: ({ code: MailFailure; taken: boolean } | Part)[] = [];
  let closed = false;
  const take = (mail: OutgoingMail): void => {
    sent.push(mail);
    onTaken(mail);
  };
  return {
    sent,
    failNext: (code, taken = false) => fates.push({ code, taken }),
    partNext: (part, then) => {
      fates.push(part);
      if (then !== undefined) fates.push({ code: then, taken: false });
    },
    send: async (mail, signal) => {
      if (closed || signal.aborted) {
        throw new AppError('mail.unavailable', 'closed or given up', { retriable: true });
      }
      if ((mail.only ?? [...mail.to, ...mail.cc]).length === 0)
        throw new AppError('mail.rejected', 'no recipients');
      const fate = fates.shift() ?? {};
      if (!('code' in fate)) {
        take(mail);
        return { response: `250 OK ${mail.messageId}`, deferred: [], refused: [], ...fate };
      }
      if (fate.taken) take(mail);
      throw new AppError(fate.code, 'as the test wants it', { retriable: fate.code !== 'mail.rejected' });
    },
    close: async () => {
      closed = true;
    },
  };
}
