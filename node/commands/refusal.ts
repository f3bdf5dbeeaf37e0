import * as z from 'zod';
import { REFUSAL_COMMAND } from './answer-jobs.ts';
import type { Answers } from '../mail/answers.ts';
import { accessRefusalMail, refusalMail } from '../replies/refusal.ts';
import type { AccessRefusalReason } from '../replies/views.ts';
import type { Command } from './command.ts';
import { faultSchema } from './fault.ts';

const MAX_FAULTS = 100;
const paramsSchema = z.strictObject({
  reason: z.enum(['faults', 'too-large', 'token-missing', 'token-wrong', 'not-allowed', 'locked-out']),
});
const detailsSchema = z.object({
  faults: z.array(faultSchema).max(MAX_FAULTS),
  corrected: z.string().nullable(),
  limitBytes: z.int().positive().nullable(),
});
type RefusalParams = z.infer<typeof paramsSchema>;

/** The reasons for which nobody looked at the request, as the mail calls them. */
const AT_THE_DOOR: Readonly<Partial<Record<RefusalParams['reason'], AccessRefusalReason>>> = {
  'token-missing': 'token-missing',
  'token-wrong': 'token-invalid',
  'not-allowed': 'sender-unknown',
  'locked-out': 'locked-out',
};

export interface RefusalServices {
  readonly answers: Answers;
  /** Address that takes requests: the corrected subject is sent there. */
  readonly mailbox: string;
  readonly adminEmail: string;
  readonly tokenRequired: boolean;
}

/** RECUSA: the answer of the node to a mail that it cannot carry out as it stands. */
export function createRefusal(services: RefusalServices): Command<RefusalParams> {
  const { answers, mailbox, adminEmail, tokenRequired } = services;
  return {
    keyword: REFUSAL_COMMAND,
    internal: true,
    schema: paramsSchema,
    example: () => REFUSAL_COMMAND,
    parse: () => ({ ok: false, faults: [], corrected: '' }),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { reason }, context) => {
      const { subject } = job.request;
      const { faults, corrected, limitBytes } = detailsSchema.parse(job.details);
      const atTheDoor = AT_THE_DOOR[reason];
      if (atTheDoor !== undefined) {
        const mail = accessRefusalMail({ subject, reason: atTheDoor, adminEmail });
        await answers.send(job, context, 'refusal', mail);
        return { kind: 'done', summary: `refused: ${reason}` };
      }
      const tooLarge = { field: 'MAIL', code: 'mail-too-large', values: { limitBytes: limitBytes ?? 0 } };
      const told = reason === 'too-large' ? [tooLarge] : faults;
      const mail = refusalMail({ subject, faults: told, corrected, mailbox, tokenRequired });
      await answers.send(job, context, 'refusal', mail);
      return {
        kind: 'done',
        summary: `refused: ${told.map(({ field, code }) => `${field} ${code}`).join(', ')}`,
      };
    },
  };
}
