import { createHash } from 'node:crypto';
import { type Job, type JobRequest, jobSchema } from '../../protocol/job.ts';
import { AppError, messageOf } from '../platform/errors.ts';

/** A job document larger than this is not read: results are kept beside the spool, not in it. */
export const JOB_MAX_BYTES = 1_048_576;

const SEQUENCE_DIGITS = 12;
const NAME = /^(?<sequence>\d{12})-(?<id>[0-9a-f]{64})\.json$/;

/** File name of a job: sorts by sequence, and names the job without being opened. */
export function jobFileName(job: Pick<Job, 'sequence' | 'id'>): string {
  return `${String(job.sequence).padStart(SEQUENCE_DIGITS, '0')}-${job.id}.json`;
}

/** What a job's file name says; null for a file that is not one of ours. */
export function readJobFileName(name: string): { readonly sequence: number; readonly id: string } | null {
  const groups = NAME.exec(name)?.groups;
  if (groups?.['sequence'] === undefined || groups['id'] === undefined) return null;
  return { sequence: Number(groups['sequence']), id: groups['id'] };
}

/** SHA-256 of the request in canonical JSON (keys sorted, as RFC 8785 section 3.2.3), in hexadecimal. */
export function digestOf(request: JobRequest): string {
  return createHash('sha256').update(canonical(request)).digest('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** The job a document holds. @throws AppError `job.invalid` naming what is wrong, also where the digest does not fit */
export function parseJob(text: string): Job {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('job.invalid', `not JSON: ${messageOf(error)}`, { cause: error });
  }
  const parsed = jobSchema.safeParse(value);
  if (!parsed.success) {
    const where = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new AppError('job.invalid', `not a job document: ${where.join('; ')}`);
  }
  if (digestOf(parsed.data.request) !== parsed.data.digest) {
    throw new AppError('job.invalid', 'the request is not the one its digest was made of');
  }
  return parsed.data;
}

export function printJob(job: Job): string {
  return `${JSON.stringify(job, null, 1)}\n`;
}
