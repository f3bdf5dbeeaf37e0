import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { type Job, type JobRequest, jobSchema } from '../../protocol/job.ts';
import { AppError, messageOf } from '../platform/errors.ts';

/** A job document larger than this is neither written nor read: results are kept beside the spool, not in it. */
export const JOB_MAX_BYTES = 1_048_576;

const SEQUENCE_DIGITS = 12;
const NAME = /^(?<sequence>\d{12})-(?<id>[0-9a-f]{64})\.json$/;

/** A document as it lies in the spool: others can put files there, and only this node can seal one. */
const sealedSchema = z.looseObject({ seal: z.base64url().length(43) });

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
    const entries = Object.entries(value)
      .filter(([, inner]) => inner !== undefined) // JSON does not have it either
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

function sealOf(job: Job, key: Buffer): Buffer {
  return createHmac('sha256', key).update(canonical(job)).digest();
}

/** The document of a job. @throws AppError `job.invalid` where it could not be read back */
export function printJob(job: Job, key: Buffer): string {
  const text = `${JSON.stringify({ ...job, seal: sealOf(job, key).toString('base64url') }, null, 1)}\n`;
  const parsed = jobSchema.safeParse(job);
  if (!parsed.success) throw new AppError('job.invalid', `not a job document: ${issuesOf(parsed.error)}`);
  if (Buffer.byteLength(text) > JOB_MAX_BYTES) {
    throw new AppError('job.invalid', `a job document of ${text.length} characters is too large`);
  }
  return text;
}

/**
 * The job that a document holds. @throws AppError `job.invalid` naming what is wrong, also where the seal is not
 * this node's or the digest does not fit
 */
export function parseJob(text: string, key: Buffer): Job {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('job.invalid', `not JSON: ${messageOf(error)}`, { cause: error });
  }
  const sealed = sealedSchema.safeParse(value);
  if (!sealed.success) throw new AppError('job.invalid', 'not sealed by this node');
  const { seal, ...document } = sealed.data;
  const parsed = jobSchema.safeParse(document);
  if (!parsed.success) throw new AppError('job.invalid', `not a job document: ${issuesOf(parsed.error)}`);
  if (!timingSafeEqual(Buffer.from(seal, 'base64url'), sealOf(parsed.data, key))) {
    throw new AppError('job.invalid', 'altered, or not sealed by this node');
  }
  if (digestOf(parsed.data.request) !== parsed.data.digest) {
    throw new AppError('job.invalid', 'the request is not the one its digest was made of');
  }
  return parsed.data;
}

function issuesOf(error: z.ZodError): string {
  const issues = error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`);
  return issues.join('; ');
}
