import type { Job } from '../../protocol/job.ts';

/** The detail of a job that names the peer it came from; no request can bring details, and documents are sealed. */
const HANDED_OVER_BY = 'handedOverBy';
/** The detail of a job that names the one by which it was asked for once more. */
const RESENT_FOR = 'resentFor';

/** Details of a job that the peer has handed over. */
export function handedOver(peerId: string): Job['details'] {
  return { [HANDED_OVER_BY]: peerId };
}

/**
 * The peer that a job came from, by call or as a signed file; null for one that came in here. That peer has confirmed
 * it, is told how it ends, and never gets it back.
 */
export function handedOverBy({ details }: Pick<Job, 'details'>): string | null {
  const peer = details[HANDED_OVER_BY];
  return typeof peer === 'string' ? peer : null;
}

/** Details of a job that another one asks for once more: that one's answer is its confirmation. */
export function resendOf(jobId: string): Job['details'] {
  return { [RESENT_FOR]: jobId };
}

export function isResend({ details }: Pick<Job, 'details'>): boolean {
  return typeof details[RESENT_FOR] === 'string';
}
