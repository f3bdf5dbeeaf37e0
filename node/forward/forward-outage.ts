import type { Job } from '../../protocol/job.ts';
import { noticeJob } from '../commands/answer-jobs.ts';
import { codeOf } from '../platform/errors.ts';
import type { Spool } from '../queue/spool.ts';
import { custodyOf } from './forward-plan.ts';

export type OutageSpool = Pick<Spool, 'accept' | 'open' | 'hurry'>;

/** Lets a waiting job be tried at once; one that has ended meanwhile is left alone. */
export async function hurry(spool: Pick<Spool, 'hurry'>, id: string): Promise<void> {
  try {
    await spool.hurry(id);
  } catch (error) {
    if (codeOf(error) !== 'spool.no-such-job') throw error;
  }
}

/** A time in which the peer takes nothing, from the first job that waits to the next answer. */
export interface Outage {
  /** A job could not be handed over. Gives how many wait now. */
  began(): number;
  /** Tells the admin, once an outage, however many jobs wait. */
  tellAdmin(job: Job, reason: string): Promise<void>;
  /**
   * The peer answers, and may still take nothing (its disk is full): the first that waits is tried at once. Tells whether
   * there is one.
   */
  mayBeOver(): Promise<boolean>;
  /** The peer has taken a job: what waits for its next try does so no longer. Tells whether there was an outage. */
  over(): Promise<boolean>;
}

export function createOutage(peerId: string, spool: OutageSpool): Outage {
  let outage: { told: boolean } | null = null;
  const waiting = (): Job[] =>
    spool.open('forward').filter((job) => job.outcome === null && custodyOf(job) === null);

  return {
    began: () => {
      outage ??= { told: false };
      return waiting().length;
    },
    tellAdmin: async (job, reason) => {
      if (outage === null || outage.told) return;
      const jobs = waiting();
      // Named after the oldest job that waits, so that a restart does not tell it again.
      const about = (jobs[0] ?? job).id;
      const details = { peer: peerId, waiting: String(Math.max(1, jobs.length)), reason };
      try {
        await spool.accept(noticeJob('peer-away', about, details));
      } catch (error) {
        if (codeOf(error) !== 'spool.conflict') throw error; // told before, in other words
      }
      outage.told = true;
    },
    mayBeOver: async () => {
      const first = outage === null ? undefined : waiting()[0];
      if (first === undefined || first.notBefore === null) return false;
      await hurry(spool, first.id);
      return true;
    },
    over: async () => {
      if (outage === null) return false;
      outage = null;
      for (const { id, notBefore } of waiting()) if (notBefore !== null) await hurry(spool, id);
      return true;
    },
  };
}
