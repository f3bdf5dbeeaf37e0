import { MAX_SUBJECT_LENGTH } from '../../protocol/job.ts';
import type { Refusal } from '../commands/answer-jobs.ts';
import type { IncomingMail } from '../mail/message.ts';

/** What a refusal of this mail has in common with any other. `subject` is without its tokens. */
export function refusalOf(mail: IncomingMail, subject: string): Omit<Refusal, 'reason'> {
  return {
    id: mail.identity,
    requester: mail.from?.address ?? '',
    subject: subject.slice(0, MAX_SUBJECT_LENGTH).toWellFormed(),
    messageId: mail.messageId,
    references: mail.references,
  };
}
