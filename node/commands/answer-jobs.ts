import { createHash } from 'node:crypto';
import type { Job, JobRequest } from '../../protocol/job.ts';
import type { Fault } from './command.ts';
import type { NewJob } from '../queue/spool.ts';
import type { NoticeKind } from '../replies/views.ts';

/** Commands of the node itself, which no subject can ask for. */
export const REFUSAL_COMMAND = 'RECUSA';
export const NOTICE_COMMAND = 'AVISO';

/** Why a request is refused: its subject, its size, or the door. */
export type RefusalReason =
  | 'faults'
  | 'too-large'
  | 'token-missing'
  | 'token-wrong'
  | 'not-allowed'
  | 'locked-out';

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

/**
 * The answer to a request that was refused, as a job: it survives a restart and is sent once like any other. What is
 * wrong goes with it as details: it may be seen differently when the same mail is judged again tomorrow.
 */
export function refusalJob(refusal: Refusal): NewJob {
  const { reason, requester, subject, messageId } = refusal;
  const faults = (refusal.faults ?? []).map(({ field, code, values }) => ({
    field,
    code,
    values: { ...values },
  }));
  const { corrected = null, limitBytes = null } = refusal;
  const references = [...refusal.references];
  const request = { command: REFUSAL_COMMAND, params: { reason }, requester, subject, messageId, references };
  return answerJob(refusal.id, request, { faults, corrected, limitBytes });
}

/** A notice to the admin, as a job. The same kind about the same thing has the same id, so that it is told once. */
export function noticeJob(
  kind: NoticeKind,
  about: string,
  details: Readonly<Record<string, string>>,
): NewJob {
  const nobody = { requester: null, subject: '', messageId: null, references: [] };
  const request = { command: NOTICE_COMMAND, params: { kind }, ...nobody };
  return answerJob(idOf('notice', kind, about), request, { ...details });
}

/** SHA-256 of parts that cannot run into one another; names jobs that no single mail names. */
export function idOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function answerJob(id: string, request: JobRequest, details: Job['details']): NewJob {
  return { id, request, details, door: 'mail', lane: 'replies', source: null };
}
