import type { Audit } from '../audit.ts';
import { noticeJob } from '../commands/answer-jobs.ts';
import { codeOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { JobAcceptor, NewJob } from '../queue/spool.ts';
import type { NoticeKind } from '../replies/views.ts';
import type { Arrival, Verdict } from './arrival.ts';
import type { Known } from './known.ts';
import type { LedgerOutcome } from './ledger-lines.ts';
import { type Ledger, NOWHERE } from './ledger.ts';

/**
 * What is told of a verdict beside it: `digest` goes into the ledger, the rest into the audit log, under `event` where
 * that is another than the outcome.
 */
export interface Facts {
  readonly digest?: string | null;
  readonly event?: string;
  readonly [detail: string]: unknown;
}

/** Writes down what was decided. */
export interface Desk {
  /**
   * The end of every decision: audit, then ledger, so that nothing is done without a trace. A crash in between
   * repeats the audit entry, never the job.
   */
  conclude(
    arrival: Arrival,
    job: string,
    outcome: LedgerOutcome,
    sentence: string,
    facts?: Facts,
  ): Promise<Verdict>;
  /** A job of our own making, once; false where either node made it before, however long ago. */
  answerOnce(job: NewJob): Promise<boolean>;
  /** A notice to the admin, once for each thing it is about. */
  tellAdmin(kind: NoticeKind, about: string, details: Readonly<Record<string, string>>): Promise<boolean>;
}

export interface DeskOptions {
  readonly acceptor: JobAcceptor;
  readonly ledger: Ledger;
  readonly known: Known;
  readonly audit: Audit;
  readonly log: Log;
}

export function createDesk({ acceptor, ledger, known, audit, log }: DeskOptions): Desk {
  const answerOnce = async (job: NewJob): Promise<boolean> => {
    if (known.answered(job.id)) return false;
    try {
      const { job: kept } = await acceptor.accept(job);
      await ledger.append({ job: job.id, digest: kept?.digest ?? null, ...NOWHERE, outcome: 'answer' });
      return true;
    } catch (error) {
      if (codeOf(error) !== 'spool.conflict') throw error;
      return false; // told before, in other words
    }
  };
  return {
    answerOnce,
    tellAdmin: (kind, about, details) => answerOnce(noticeJob(kind, about, details)),
    conclude: async (arrival, job, outcome, sentence, { digest = null, ...details } = {}) => {
      const { uidValidity, uid } = arrival;
      const place = { uidValidity, uid, receivedAt: arrival.receivedAt.toString() };
      await audit.record({ event: `mail.${outcome}`, job, uid, ...details });
      // A released mail has been dealt with at its place before.
      await ledger.append({ job, digest, ...(arrival.released === true ? NOWHERE : place), outcome });
      log.info(sentence, { job: job.slice(0, 8), uid, outcome });
      return { outcome, sentence };
    },
  };
}
