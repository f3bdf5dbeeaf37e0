import type { Audit } from '../audit.ts';
import { noticeJob } from '../commands/answer-jobs.ts';
import { AppError } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import { idByPrefix, notFound } from '../queue/id-prefix.ts';
import type { JobAcceptor, NewJob } from '../queue/spool.ts';
import type { DoubtStore, StoredDoubt } from './doubt-store.ts';
import type { Known } from './known.ts';
import { type Ledger, NOWHERE } from './ledger.ts';

/** With more mails in doubt than this, the admin is not told of each any more, but once an hour that there are more. */
const MAX_TOLD = 20;
const SHOWN_DIGITS = 12;
const DOUBT = { one: 'mail in doubt', many: 'mails in doubt', hint: ': see node-ctl doubt list' };
const HOUR_DIGITS = '2026-03-02T12'.length;

/** A mail in doubt as an operator sees it. */
export interface DoubtView {
  readonly id: string;
  /** Since when. */
  readonly at: string;
  readonly receivedAt: string;
  readonly from: string;
  readonly subject: string;
  /** What taking it does: the command, `RECUSA` where the answer would be a refusal. */
  readonly command: string;
}

export type Resolution = 'take' | 'dismiss';

/** Mails of which nobody knows whether they were dealt with, until a person says so. */
export interface Doubts {
  /** The newest first. */
  list(): Promise<readonly DoubtView[]>;
  /**
   * `take` puts the job into the queue, once; `dismiss` leaves the mail as it is. What a crash left half done is done
   * by the same call again. Gives a sentence. @throws AppError `job.not-found`, `job.ambiguous`, `job.wrong-state`,
   * `spool.conflict`, `spool.unwritable`
   */
  resolve(idPrefix: string, how: Resolution): Promise<{ readonly id: string; readonly message: string }>;
}

export interface DoubtsOptions {
  readonly store: DoubtStore;
  readonly acceptor: JobAcceptor;
  readonly ledger: Pick<Ledger, 'accepted' | 'append'>;
  readonly known: Pick<Known, 'madeByPeer'>;
  readonly audit: Audit;
}

export function createDoubts({ store, acceptor, ledger, known, audit }: DoubtsOptions): Doubts {
  const inTurn = createKeyedMutex();

  const take = async (doubt: StoredDoubt): Promise<string> => {
    const { job, from, subject } = doubt;
    if (known.madeByPeer(job.id) !== null) {
      throw new AppError('job.wrong-state', 'the other node has taken this mail meanwhile: dismiss it');
    }
    if (!doubt.taking) await store.markTaking(doubt);
    const { job: kept } = await acceptor.accept(job as NewJob);
    if (ledger.accepted(job.id) === null) {
      await audit.record({ event: 'doubt.taken', job: job.id, from, subject, command: job.request.command });
      await ledger.append({ job: job.id, digest: kept?.digest ?? null, ...NOWHERE, outcome: 'accepted' });
    }
    await store.remove(job.id);
    return `job ${job.id.slice(0, 8)} is in the queue`;
  };

  const dismiss = async (doubt: StoredDoubt): Promise<string> => {
    const { job, from, subject } = doubt;
    if (ledger.accepted(job.id) !== null) {
      await store.remove(job.id);
      return `the mail had been taken; it is not in doubt any more`;
    }
    if (doubt.taking) {
      throw new AppError(
        'job.wrong-state',
        'taking this mail was begun and broke off: finish it with --take',
      );
    }
    await audit.record({ event: 'doubt.dismissed', job: job.id, from, subject });
    await store.remove(job.id);
    return `the mail is left as it is`;
  };

  return {
    list: async () => {
      const doubts = await Promise.all(store.ids().map(store.read));
      return doubts.filter((doubt) => doubt !== null).map(viewOf);
    },
    resolve: async (prefix, how) => {
      const id = idByPrefix(store.ids(), prefix, DOUBT);
      return inTurn(id, async () => {
        const doubt = await store.read(id);
        if (doubt === null) throw notFound(prefix, DOUBT);
        return { id, message: await (how === 'take' ? take(doubt) : dismiss(doubt)) };
      });
    },
  };
}

/** Tells the admin of a mail in doubt, and how to decide on it. `open` counts it and the others that are. */
export function doubtNotice(
  id: string,
  details: Readonly<Record<string, string>>,
  open: number,
  now: Temporal.Instant,
): NewJob {
  if (open > MAX_TOLD) {
    const hour = now.toString().slice(0, HOUR_DIGITS);
    return noticeJob('mail-in-doubt', `more at ${hour}`, {
      doubts: `mais de ${MAX_TOLD}`,
      list: 'node-ctl doubt list',
    });
  }
  const resolve = `node-ctl doubt resolve ${id.slice(0, SHOWN_DIGITS)}`;
  return noticeJob('mail-in-doubt', id, {
    ...details,
    doubt: id.slice(0, SHOWN_DIGITS),
    take: `${resolve} --take`,
    dismiss: `${resolve} --dismiss`,
  });
}

function viewOf({ at, receivedAt, from, subject, job }: StoredDoubt): DoubtView {
  return { id: job.id, at, receivedAt, from, subject, command: job.request.command };
}
