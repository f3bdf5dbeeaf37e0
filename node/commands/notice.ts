import * as z from 'zod';
import { NOTICE_COMMAND } from './answer-jobs.ts';
import type { Answers } from '../mail/answers.ts';
import { NOTICE_DETAILS } from '../replies/catalogue.ts';
import { noticeMail } from '../replies/notice.ts';
import type { Command } from './command.ts';

const paramsSchema = z.strictObject({
  kind: z.enum([
    'mail-in-doubt',
    'mail-set-aside',
    'mail-unproved',
    'job-conflict',
    'drop-refused',
    'drop-set-aside',
    'locked-out',
    'disk-low',
    'peer-away',
    'forced',
    'forced-out',
    'other',
  ]),
});
const detailsSchema = z.record(z.string(), z.string());
type NoticeParams = z.infer<typeof paramsSchema>;

export interface NoticeServices {
  readonly answers: Answers;
  readonly nodeId: string;
  readonly timeZone: string;
}

/** AVISO: what the node tells the admin alone, outside any request. */
export function createNotice({ answers, nodeId, timeZone }: NoticeServices): Command<NoticeParams> {
  return {
    keyword: NOTICE_COMMAND,
    internal: true,
    schema: paramsSchema,
    example: () => NOTICE_COMMAND,
    parse: () => ({ ok: false, faults: [], corrected: '' }),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { kind }, context) => {
      const shown = Object.entries(detailsSchema.parse(job.details)).map(
        ([key, value]) => [NOTICE_DETAILS[key] ?? key, value] as const,
      );
      const at = Temporal.Instant.from(job.acceptedAt);
      const mail = noticeMail({ kind, nodeId, at, timeZone, details: shown, faults: [], note: null });
      await answers.send(job, context, 'notice', mail, { toRequester: false });
      return { kind: 'done', summary: `told the admin: ${kind}` };
    },
  };
}
