import { createHash } from 'node:crypto';

/** Enough of the job id to be unique for ever; the whole would make lines that old programs fold. */
const JOB_ID_LENGTH = 32;

/**
 * The Message-ID of a mail of ours: the same for the same mail, so that it is found in the Sent mailbox and
 * so that mail programs show a repeated one once. A resend that a person asks for is a new generation.
 */
export function messageIdOf(jobId: string, kind: string, generation: number, fromAddress: string): string {
  const domain = fromAddress.slice(fromAddress.lastIndexOf('@') + 1).toLowerCase();
  const safeKind = /^[a-z0-9-]{1,30}$/.test(kind)
    ? kind
    : createHash('sha256').update(kind).digest('hex').slice(0, 16);
  return `<${jobId.slice(0, JOB_ID_LENGTH)}.${safeKind}.${generation}@${domain}>`;
}
