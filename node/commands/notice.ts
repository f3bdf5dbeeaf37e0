import * as z from 'zod';
import { NOTICE_COMMAND } from './answer-jobs.ts';
import type { Answers } from '../mail/answers.ts';
import { noticeDetails } from '../replies/notice-details.ts';
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
    'whitelist-changed',
    'server-unsettled',
    'disk-low',
    'peer-away',
    'forced',
    'forced-out',
    'other',
  ]),
});
const detailsSchema = z.record(z.string(), z.string());
/** What concerns each admin: one of them has changed who may ask, perhaps not the one whom it seems. */
const TO_ALL_ADMINS: ReadonlySet<string> = new Set(['whitelist-changed']);
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
      const shown = noticeDetails(detailsSchema.parse(job.details), timeZone);
      const at = Temporal.Instant.from(job.acceptedAt);
      const mail = noticeMail({ kind, nodeId, at, timeZone, details: shown, faults: [], note: null });
      const toAllAdmins = TO_ALL_ADMINS.has(kind);
      await answers.send(job, context, 'notice', mail, { toRequester: false, toAllAdmins });
      return { kind: 'done', summary: `told the admin: ${kind}` };
    },
  };
}
