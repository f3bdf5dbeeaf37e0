import * as z from 'zod';
import type { DigestMails } from '../mail/answers.ts';
import type { HeldAnswer, HeldEntry, HeldMail } from '../mail/held-mail.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf } from '../platform/errors.ts';
import type { NewJob } from '../queue/spool.ts';
import { digestMail } from '../replies/digest.ts';
import { idOf } from './answer-jobs.ts';
import type { Command, Ending } from './command.ts';

export const DIGEST_COMMAND = 'RESUMO';
/** Answers in one digest. */
export const MAX_DIGEST_ITEMS = 60;
/** The worker takes longer waits for those of a clock that was set back. */
const MAX_WAIT_MS = 300_000;
const MAX_NAME_LENGTH = 64;
const MAX_ADDRESS_LENGTH = 320;
/** Kinds that say no more once the answer itself is there. */
const BEFORE_THE_END: ReadonlySet<string> = new Set(['confirmation', 'delayed']);
const ENDS: ReadonlySet<string> = new Set(['result', 'failed']);

const paramsSchema = z.strictObject({
  to: z.string().max(MAX_ADDRESS_LENGTH),
  /** Names of what was held back. */
  items: z.array(z.string().max(MAX_NAME_LENGTH)).max(MAX_DIGEST_ITEMS),
});
type DigestParams = z.infer<typeof paramsSchema>;

export interface DigestServices {
  readonly answers: DigestMails;
  readonly held: HeldMail;
  /** Whether the request that an answer is about is still open. */
  readonly isOpen: (job: string) => boolean;
  readonly clock: Clock;
  readonly timeZone: string;
}

/** RESUMO: answers that were held back as the day's mails were used up, in one mail. */
export function createDigest(services: DigestServices): Command<DigestParams> {
  const { answers, held, isOpen, clock, timeZone } = services;
  return {
    keyword: DIGEST_COMMAND,
    internal: true,
    schema: paramsSchema,
    example: () => DIGEST_COMMAND,
    parse: () => ({ ok: false, faults: [], corrected: '' }),
    route: () => ({ lane: 'replies', source: null }),
    work: async (job, { to, items }, context) => {
      const found = await held.read(items);
      const isSent = job.steps['mail:digest']?.doneAt != null;
      if (isSent || found.length === 0) return over(held, items, 'sent before');
      const worth = worthTelling(found, isOpen);
      if (worth.length === 0) return over(held, items, 'nothing that is not told better by now');
      const later = answers.digestAt(to);
      if (later !== null) {
        const soon = clock.now().add({ milliseconds: MAX_WAIT_MS });
        const notBefore = Temporal.Instant.compare(later, soon) < 0 ? later : soon;
        return { kind: 'waiting', notBefore, summary: 'the mails of the day are used up, digests too' };
      }
      const shown = worth.map(({ subject, at, text }) => {
        return { subject, at: Temporal.Instant.from(at), text };
      });
      const messageIds = found.map(({ messageId }) => messageId);
      try {
        const mail = digestMail({ items: shown, timeZone });
        await answers.sendDigest(job, context, to, mail, messageIds);
      } catch (error) {
        // Refused for good: it would be refused again with each digest after it.
        if (codeOf(error) === 'mail.rejected') await held.remove(items);
        throw error;
      }
      return over(held, items, `${found.length} answers that were held back`);
    },
  };
}

async function over(held: HeldMail, items: readonly string[], summary: string): Promise<Ending> {
  await held.remove(items);
  return { kind: 'done', summary };
}

/** By time, without what a later answer to the same request says better, here or in a mail that went out meanwhile. */
function worthTelling(answers: readonly HeldAnswer[], isOpen: (job: string) => boolean): HeldAnswer[] {
  const ended = new Set(answers.filter(({ kind }) => ENDS.has(kind)).map(({ job }) => job));
  return answers
    .filter(({ kind, job }) => !BEFORE_THE_END.has(kind) || (isOpen(job) && !ended.has(job)))
    .toSorted((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
}

/** The job that sends these to somebody. One that failed does not stand in the way of the next: its id is of an hour. */
export function digestJob(to: string, entries: readonly HeldEntry[], now: Temporal.Instant): NewJob {
  const items = entries.map(({ name }) => name);
  const nobody = { requester: null, subject: '', messageId: null, references: [] };
  return {
    id: idOf('digest', to, now.toString().slice(0, 'YYYY-MM-DDTHH'.length), ...items),
    request: { command: DIGEST_COMMAND, params: { to, items }, ...nobody },
    ...{ details: {}, door: 'mail', lane: 'replies', source: null },
  };
}
