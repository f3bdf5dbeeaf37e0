import type { Mailer, OutgoingMail } from '../../node/mail/mailer.ts';
import { AppError } from '../../node/platform/errors.ts';

export type MailFailure = 'mail.rejected' | 'mail.unavailable' | 'mail.unknown';

/** A mailer in memory, held to the same contract as the SMTP one. */
export interface MemoryMailer extends Mailer {
  /** What a server took responsibility for. */
  readonly sent: readonly OutgoingMail[];
  /** The next mail fails so; `mail.unknown` with `taken` is one that the server has all the same. */
  failNext(code: MailFailure, taken?: boolean): void;
}

/** `onTaken` is told of each mail as a server files it, as into a mailbox of sent mails. */
export function createMemoryMailer(onTaken: (mail: OutgoingMail) => void = () => undefined): MemoryMailer {
  const sent: OutgoingMail[] = [];
  const failures: { code: MailFailure; taken: boolean }[] = [];
  let closed = false;
  const take = (mail: OutgoingMail): void => {
    sent.push(mail);
    onTaken(mail);
  };
  return {
    sent,
    failNext: (code, taken = false) => failures.push({ code, taken }),
    send: async (mail, signal) => {
      if (closed || signal.aborted) {
        throw new AppError('mail.unavailable', 'closed or given up', { retriable: true });
      }
      if (mail.to.length + mail.cc.length === 0) throw new AppError('mail.rejected', 'no recipients');
      const failure = failures.shift();
      if (failure?.taken === true) take(mail);
      if (failure !== undefined) {
        throw new AppError(failure.code, 'as the test wants it', {
          retriable: failure.code !== 'mail.rejected',
        });
      }
      take(mail);
      return `250 OK ${mail.messageId}`;
    },
    close: async () => {
      closed = true;
    },
  };
}
