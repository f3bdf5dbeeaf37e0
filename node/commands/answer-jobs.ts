import { createHash } from 'node:crypto';
import type { JobRequest } from '../../protocol/job.ts';
import type { Fault } from './command.ts';
import type { NewJob } from '../queue/spool.ts';
import type { NoticeKind } from '../replies/views.ts';

/** Commands of the node itself, which no subject can ask for. */
export const REFUSAL_COMMAND = 'RECUSA';
export const NOTICE_COMMAND = 'AVISO';

/** Why a request is refused: its subject, its size, or the door. */
export type RefusalReason = 'faults' | 'too-large' | 'token-missing' | 'token-wrong';

export interface Refusal {
  readonly id: string;
  readonly reason: RefusalReason;
  readonly requester: string;
  /** Without its token. */
  readonly subject: string;
  readonly messageId: string | null;
  readonly references: readonly string[];
  readonly faults?: readonly Fault[];
  /** A subject to copy. */
  readonly corrected?: string | null;
  /** The limit that was passed, for `too-large`. */
  readonly limitBytes?: number;
}

/** The answer to a request that was refused, as a job: it survives a restart and is sent once like any other. */
export function refusalJob(refusal: Refusal): NewJob {
  const params = {
    reason: refusal.reason,
    faults: (refusal.faults ?? []).map(({ field, code, values }) => ({ field, code, values: { ...values } })),
    corrected: refusal.corrected ?? null,
    ...(refusal.limitBytes === undefined ? {} : { limitBytes: refusal.limitBytes }),
  };
  return answerJob(refusal.id, {
    command: REFUSAL_COMMAND,
    params,
    requester: refusal.requester,
    subject: refusal.subject,
    messageId: refusal.messageId,
    references: [...refusal.references],
  });
}

/**
 * A notice to the admin, as a job. The same kind about the same thing has the same id, so that it is told once;
 * `details` must therefore be the same each time, too.
 */
export function noticeJob(
  kind: NoticeKind,
  about: string,
  details: Readonly<Record<string, string>>,
): NewJob {
  return answerJob(idOf('notice', kind, about), {
    command: NOTICE_COMMAND,
    params: { kind, details: { ...details } },
    requester: null,
    subject: '',
    messageId: null,
    references: [],
  });
}

/** SHA-256 of parts that cannot run into one another; names jobs that no single mail names. */
export function idOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function answerJob(id: string, request: JobRequest): NewJob {
  return { id, request, door: 'mail', lane: 'replies', source: null };
}
