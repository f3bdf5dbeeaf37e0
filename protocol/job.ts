import * as z from 'zod';

/** Version of the job document that this code writes; it reads this one only. */
export const JOB_VERSION = 1;

/** Of a subject as a job keeps it. */
export const MAX_SUBJECT_LENGTH = 1000;
const MAX_REFERENCES = 50;
const MAX_ADDRESS_LENGTH = 320;
const MAX_MESSAGE_ID_LENGTH = 998;
const MAX_INSTANT_LENGTH = 64;
const MAX_SUMMARY_LENGTH = 2000;
const MAX_CODE_LENGTH = 100;

/** SHA-256 in lower-case hexadecimal: of what identifies the mail (job id) or of the request (digest). */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** Where recordings are searched: this host's disk or a bucket. */
export const sourceNameSchema = z.enum(['audio', 's3']);
export type SourceName = z.infer<typeof sourceNameSchema>;

/** Jobs of a lane are worked one after another; lanes do not wait for one another. */
export const laneSchema = z.enum(['forward', 'recordings', 'servers', 'replies']);
export type Lane = z.infer<typeof laneSchema>;

/** By which door a job came in. */
export const doorSchema = z.enum(['mail', 'drop', 'control', 'rpc']);
export type Door = z.infer<typeof doorSchema>;

/**
 * What was asked for. Immutable: its canonical JSON is what the digest is made of, so it holds nothing that
 * two acceptances of the same mail could see differently (no times, no node, no resolved source).
 */
export const jobRequestSchema = z.strictObject({
  /** The command's keyword, or that of an answer of the node itself (`RECUSA`, `AVISO`). */
  command: z.string().regex(/^[A-Z]{2,20}$/),
  /** What the command's own grammar made of the subject; the command's schema checks it again. */
  params: z.record(z.string(), z.json()),
  /** Address to answer, in lower case; null where nobody is to be written to. */
  requester: z.string().max(MAX_ADDRESS_LENGTH).nullable(),
  /** The subject as received, without its token. */
  subject: z.string().max(MAX_SUBJECT_LENGTH),
  /** For threading the answers (RFC 5322 section 3.6.4). */
  messageId: z.string().max(MAX_MESSAGE_ID_LENGTH).nullable(),
  references: z.array(z.string().max(MAX_MESSAGE_ID_LENGTH)).max(MAX_REFERENCES),
});
export type JobRequest = z.infer<typeof jobRequestSchema>;

/** A step of a job: the intent is on disk before the effect is begun, `done` after it has happened. */
export const stepSchema = z.strictObject({
  intentAt: z.string(),
  doneAt: z.string().nullable(),
  /** What later steps need of this one. */
  result: z.json().optional(),
});
export type StepRecord = z.infer<typeof stepSchema>;

/** How a job ended. */
export const outcomeSchema = z.strictObject({
  /** `delivered`: handed to a peer that does not report back. */
  kind: z.enum(['done', 'nothing-found', 'failed', 'cancelled', 'delivered']),
  at: z.string().max(MAX_INSTANT_LENGTH),
  /** A sentence for operators. */
  summary: z.string().max(MAX_SUMMARY_LENGTH),
  /** The error's code, where it failed. */
  code: z.string().max(MAX_CODE_LENGTH).optional(),
  /** The node that ended it, where it was handed over: that node has told the requester. */
  by: z.string().max(MAX_CODE_LENGTH).optional(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

/** One command accepted from one mail: the unit of the queue, and the file in the spool. */
export const jobSchema = z.strictObject({
  version: z.literal(JOB_VERSION),
  id: sha256Schema,
  digest: sha256Schema,
  request: jobRequestSchema,
  door: doorSchema,
  /** The node that accepted it, and when. */
  acceptedBy: z.string(),
  acceptedAt: z.string(),
  lane: laneSchema,
  /** Resolved once, at acceptance; null where the command searches no recordings. */
  source: sourceNameSchema.nullable(),
  /** Order in the lanes; grows with each acceptance on this node. */
  sequence: z.int().nonnegative(),
  /** What goes with the request and is not its identity: why it is refused, what a notice tells. */
  details: z.record(z.string(), z.json()),
  /** Attempts begun; counted on disk before the attempt runs. */
  attempts: z.int().nonnegative(),
  /** Attempts that ended in an error of their own: what MAX_RETRIES counts. */
  failures: z.int().nonnegative(),
  /** Attempts that were put back for no fault of the job's: a mail server was away, the node stopped. */
  interruptions: z.int().nonnegative(),
  /** Not to be tried before this instant; null for at once. */
  notBefore: z.string().nullable(),
  /** Why the last attempt did not succeed. */
  lastError: z.strictObject({ code: z.string(), message: z.string(), at: z.string() }).nullable(),
  steps: z.record(z.string(), stepSchema),
  /** Grows with each resend that a person asks for, so that a resent mail is a new one. */
  generation: z.int().nonnegative(),
  outcome: outcomeSchema.nullable(),
});
export type Job = z.infer<typeof jobSchema>;
