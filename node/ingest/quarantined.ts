import type { Access } from '../access/access.ts';
import type { Quarantine, Quarantined } from '../access/quarantine.ts';
import type { Audit } from '../audit.ts';
import { noticeJob } from '../commands/answer-jobs.ts';
import { AppError } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { idByPrefix, notFound } from '../queue/id-prefix.ts';
import type { NewJob } from '../queue/spool.ts';
import type { Acceptance } from './arrival.ts';

/** With more mails in quarantine, the admin is not told of each any more, but once an hour that there are more. */
const MAX_TOLD = 20;
const SHOWN_DIGITS = 12;
const SHOWN_LINES = 200;
const SHOWN_LINE_LENGTH = 500;
const HOUR_DIGITS = '2026-03-02T12'.length;
const MAIL = {
  one: 'mail in quarantine',
  many: 'mails in quarantine',
  hint: ': see node-ctl quarantine list',
};

/** What an operator can do about mails whose sender is not proved. */
export interface QuarantineDesk {
  /** The newest first. */
  list(): readonly Quarantined[];
  /** A mail and its beginning as text, without its tokens. @throws AppError `job.not-found`, `job.ambiguous` */
  show(idPrefix: string): Promise<{ readonly mail: Quarantined; readonly text: string }>;
  /**
   * Lets a mail go on as if its sender were proved: whitelist, token and grammar judge it as any other. What a crash
   * left half done is done by the same call again. Gives a sentence. @throws AppError as `show`, `job.wrong-state`,
   * `spool.unwritable`
   */
  release(idPrefix: string): Promise<{ readonly id: string; readonly message: string }>;
  /** Removes a mail; in the mailbox it lies on. @throws AppError as `show` */
  dismiss(idPrefix: string): Promise<{ readonly id: string; readonly message: string }>;
}

export interface QuarantineDeskOptions {
  readonly quarantine: Quarantine;
  readonly acceptance: Pick<Acceptance, 'decide'>;
  readonly access: Pick<Access, 'conceal' | 'cut'>;
  readonly audit: Audit;
}

export function createQuarantineDesk(options: QuarantineDeskOptions): QuarantineDesk {
  const { quarantine, acceptance, access, audit } = options;
  const inTurn = createKeyedMutex();

  const find = (prefix: string): Quarantined => {
    const mails = quarantine.list();
    const id = idByPrefix(
      mails.map((mail) => mail.id),
      prefix,
      MAIL,
    );
    const mail = mails.find((one) => one.id === id);
    if (mail === undefined) throw notFound(prefix, MAIL);
    return mail;
  };
  const onOne = async <T>(prefix: string, work: (mail: Quarantined) => Promise<T>): Promise<T> => {
    const { id } = find(prefix);
    return inTurn(id, () => work(find(id)));
  };
  const note = (event: string, { id, identity, from, subject }: Quarantined, more: object = {}) =>
    audit.record({ event, job: identity, mail: id, from, subject, ...more, by: 'node-ctl' });

  return {
    list: quarantine.list,
    show: async (prefix) => {
      const mail = find(prefix);
      const raw = await access.conceal((await quarantine.read(mail.id)).toString('latin1'));
      const lines = Buffer.from(raw, 'latin1').toString('utf8').split(/\r?\n/).slice(0, SHOWN_LINES);
      const shown = await Promise.all(lines.map((line) => access.cut(line.slice(0, SHOWN_LINE_LENGTH))));
      return { mail, text: shown.join('\n') };
    },
    release: (prefix) =>
      onOne(prefix, async (mail) => {
        if (mail.from === null) {
          throw new AppError('job.wrong-state', 'it names no sender, or several: nobody could be answered');
        }
        const raw = await quarantine.read(mail.id);
        const { truncated } = mail;
        const receivedAt = Temporal.Instant.from(mail.receivedAt);
        await note('quarantine.released', mail);
        const verdict = await acceptance.decide({
          ...{ uidValidity: '', uid: 0, receivedAt, raw, truncated, meeting: 'new', released: true },
        });
        await quarantine.remove(mail.id);
        return { id: mail.id, message: `${verdict.outcome}: ${verdict.sentence}` };
      }),
    dismiss: (prefix) =>
      onOne(prefix, async (mail) => {
        await note('quarantine.dismissed', mail);
        await quarantine.remove(mail.id);
        return { id: mail.id, message: 'removed from the quarantine; in the mailbox the mail lies on' };
      }),
  };
}

/** Tells the admin of a mail in quarantine, and how to decide on it. `held` counts it and the others. */
export function quarantineNotice(mail: Quarantined, held: number, now: Temporal.Instant): NewJob {
  if (held > MAX_TOLD) {
    const hour = now.toString().slice(0, HOUR_DIGITS);
    return noticeJob('mail-unproved', `more at ${hour}`, {
      mails: `> ${MAX_TOLD}`,
      list: 'node-ctl quarantine list',
    });
  }
  const id = mail.id.slice(0, SHOWN_DIGITS);
  return noticeJob('mail-unproved', mail.id, {
    from: mail.fromText,
    subject: mail.subject,
    receivedAt: mail.receivedAt,
    reason: mail.reason,
    detail: mail.detail,
    show: `node-ctl quarantine show ${id}`,
    release: `node-ctl quarantine release ${id}`,
  });
}
