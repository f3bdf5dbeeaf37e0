import type { Job } from '../../protocol/job.ts';
import type { Answers } from '../mail/answers.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { JobAcceptor } from '../queue/spool.ts';
import { repeatable } from '../queue/steps.ts';
import { delayedMail } from '../replies/trouble.ts';
import { noticeJob } from './answer-jobs.ts';
import type { JobContext, Waiting } from './command.ts';
import type { MacChangeParams } from './macchange-grammar.ts';

/** A server whose files may be half-way is tried for so long; then a person has to look. */
const UNSETTLED_FOR = { hours: 72 };
/** The lock of the other node is free after ten minutes whatever happens to that node, see mac-lock.ts. */
const LOCKED_FOR = { hours: 1 };
const FIRST_WAIT_MS = 30_000;
/** As long as the worker lets a job wait. */
const LONGEST_WAIT_MS = 300_000;
const LOCK_WAIT_MS = 60_000;
const MAX_REASON_LENGTH = 500;

export interface WaitingServices {
  readonly answers: Answers;
  readonly acceptor: JobAcceptor;
  readonly clock: Clock;
  readonly timeZone: string;
}

/**
 * What a failed try comes to: to wait, where files may be half-way or another change is under way; the error itself
 * otherwise, which the worker knows how to take. @throws AppError
 */
export async function waitFor(
  services: WaitingServices,
  job: Job,
  params: MacChangeParams,
  context: JobContext,
  error: unknown,
  isHalfWay: boolean,
): Promise<Waiting> {
  const code = codeOf(error);
  if (code === 'mac.locked') return waitForLock(services, context, error);
  if (code !== 'mac.unsettled' && !isHalfWay) throw error;
  const { clock } = services;
  const since = await sinceOf(context, clock, 'mac:unsettled');
  const reason = messageOf(error).slice(0, MAX_REASON_LENGTH);
  await tellAdmin(services, job, params, context, reason);
  if (Temporal.Instant.compare(clock.now(), since.add(UNSETTLED_FOR)) >= 0) {
    throw new AppError('mac.unsettled', `not settled within three days: ${reason}`, { cause: error });
  }
  const waitedMs = clock.now().since(since).total('milliseconds');
  const waitMs = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, waitedMs));
  const notBefore = clock.now().add({ milliseconds: Math.round(waitMs) });
  await tellRequester(services, job, context, notBefore);
  const trouble = { code: 'mac.unsettled', message: reason };
  return {
    kind: 'waiting',
    notBefore,
    summary: `a change on ${params.server} is to be settled: ${reason}`,
    trouble,
  };
}

async function waitForLock(
  { clock }: WaitingServices,
  context: JobContext,
  error: unknown,
): Promise<Waiting> {
  const since = await sinceOf(context, clock, 'mac:locked');
  const now = clock.now();
  if (Temporal.Instant.compare(now, since.add(LOCKED_FOR)) >= 0) throw error;
  const message = messageOf(error);
  const notBefore = now.add({ milliseconds: LOCK_WAIT_MS });
  return { kind: 'waiting', notBefore, summary: message, trouble: { code: 'mac.locked', message } };
}

/** When it was first so. */
async function sinceOf(context: JobContext, clock: Clock, step: string): Promise<Temporal.Instant> {
  const at = await context.step(
    step,
    repeatable(() => Promise.resolve(clock.now().toString())),
  );
  return Temporal.Instant.from(at);
}

async function tellRequester(
  { answers, timeZone }: WaitingServices,
  job: Job,
  context: JobContext,
  nextAttemptAt: Temporal.Instant,
): Promise<void> {
  const { subject, requester } = job.request;
  if (requester === null) return;
  const view = { request: null, subject, jobId: job.id, code: 'mac.unsettled', nextAttemptAt, timeZone };
  await answers.send(job, context, 'delayed', delayedMail(view));
}

/** Once for a job. */
async function tellAdmin(
  { acceptor }: WaitingServices,
  job: Job,
  { server, extension }: MacChangeParams,
  context: JobContext,
  reason: string,
): Promise<void> {
  const show = `node-ctl mac show ${extension} --server ${server}`;
  const details = { server, extension, requester: job.request.requester ?? '', reason, show };
  await context.step(
    'mac:told',
    repeatable(async () => {
      try {
        await acceptor.accept(noticeJob('server-unsettled', job.id, details));
      } catch (error) {
        if (codeOf(error) !== 'spool.conflict') throw error; // told before, in other words
      }
      return true;
    }),
  );
}
