import * as z from 'zod';
import { jobRequestSchema, outcomeSchema, sha256Schema, sourceNameSchema } from './job.ts';
import { ledgerEntrySchema, instantSchema } from './ledger.ts';

/** Ledger entries in one call. */
export const MAX_LEDGER_PAGE = 500;

/** Of a text that one node tells the other; whoever tells a longer one cuts it. */
export const MAX_TEXT_LENGTH = 2000;
/** Far above any real term, and far below where integers end: a node that claims such a one is not believed. */
const MAX_TERM = 1e12;
const text = z.string().max(MAX_TEXT_LENGTH);
const instant = z.iso.datetime({ offset: true });
export const count = z.int().nonnegative();
export const nodeIdSchema = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);
/** A number that grows with each change of master: the fencing token. */
export const termSchema = z.int().min(0).max(MAX_TERM);
export const handoffIdSchema = z.uuid();

/** Roles as the outside sees them; how they change is in `node/leadership/state.ts`. */
export const roleSchema = z.enum(['slave', 'candidate', 'master', 'draining', 'fenced']);
export type Role = z.infer<typeof roleSchema>;

/** As on the wire, where a newer node's may hold more. */
export const settledOutcomeSchema = outcomeSchema.strip();
export const replicatedEntrySchema = ledgerEntrySchema.strip();

/** UID up to which every mail of a UIDVALIDITY was dealt with. */
export const watermarkSchema = z.object({ uidValidity: z.string().max(20), uid: count });
export type Watermark = z.infer<typeof watermarkSchema>;

/** The mastership of a term, given to a node for good: the giver has it on disk before it says so. */
export const grantSchema = z.object({
  term: termSchema,
  to: nodeIdSchema,
  handoffId: handoffIdSchema,
  /** Where the giver stopped reading; null where it never read, or has been forced out. */
  watermark: watermarkSchema.nullable(),
});
export type Grant = z.infer<typeof grantSchema>;

/** What a node says of its role; `grant` is what it has given away in its `term`. */
export const leadershipSchema = z.object({
  nodeId: nodeIdSchema,
  protocol: z.int().positive(),
  role: roleSchema,
  term: termSchema,
  since: instant,
  grant: grantSchema.nullable(),
  /** True for a node with MODE=master that has never had a role and waits for its peer's word. */
  first: z.boolean(),
});
export type LeadershipView = z.infer<typeof leadershipSchema>;

/** How a node is, for its peer and for `node-ctl status` there. */
export const peerStatusSchema = z.object({
  nodeId: nodeIdSchema,
  version: text,
  protocol: z.int().positive(),
  role: roleSchema,
  term: termSchema,
  since: instant,
  /** Its wall clock as it answered. */
  now: instant,
  uptimeSeconds: z.number().nonnegative(),
  mailbox: z.object({ state: text, lastMailAt: instant.nullable(), lastError: text.nullable() }).nullable(),
  queue: z.object({
    paused: z.boolean(),
    lanes: z.array(z.object({ lane: text, pending: count, processing: count })).max(20),
    completed: count,
    failed: count,
  }),
  sources: z.array(sourceNameSchema).max(10),
  warnings: z.array(text).max(100),
});
export type PeerStatus = z.infer<typeof peerStatusSchema>;

export const jobStateSchema = z.enum(['pending', 'processing', 'completed', 'failed']);
export type JobState = z.infer<typeof jobStateSchema>;

/** Whether a job in this state is still to be brought to an end. */
export function isOpen(state: JobState | null | undefined): state is 'pending' | 'processing' {
  return state === 'pending' || state === 'processing';
}

/** A job as the node says that has it. */
export const jobReportSchema = z.object({
  id: sha256Schema,
  digest: sha256Schema.nullable(),
  /** Null where it was purged, and only the ledger knows of it. */
  state: jobStateSchema.nullable(),
  /** In its lane, 1 is next or running; null where it has ended. */
  position: z.int().positive().nullable(),
  lastError: z.object({ code: text, message: text, at: text }).nullable(),
  outcome: settledOutcomeSchema.nullable(),
});
export type JobReport = z.infer<typeof jobReportSchema>;

/** A word on who may ask: a person or a token; the highest version counts, of equal ones that of the node that sorts last. */
export const accessRecordSchema = z.object({
  key: z.string().regex(/^[a-z]{1,20}:[^\s]{1,320}$/),
  version: count,
  node: nodeIdSchema,
  at: instant.refine((at) => instantSchema.safeParse(at).success, 'is no instant'),
  by: z.string().max(320),
  /** Null where it was removed. */
  value: z.json(),
});
/** Access records in one call. */
export const MAX_ACCESS_PAGE = 500;
/** Jobs in one answer of `job.list`. */
export const MAX_JOB_PAGE = 100;

/** A job as the person may see it who asked for it. */
export const askedJobSchema = z.object({
  id: sha256Schema,
  request: jobRequestSchema.strip(),
  source: sourceNameSchema.nullable(),
  state: jobStateSchema,
  position: z.int().positive().nullable(),
  acceptedAt: instant,
  outcome: settledOutcomeSchema.nullable(),
});
export type AskedJob = z.infer<typeof askedJobSchema>;

/** What one side tells the other of itself when they pair; all of it public. */
export const identitySchema = z.object({
  nodeId: nodeIdSchema,
  /** Of its RPC listener; null where that is for the other side's configuration to say. */
  url: z.string().max(500).nullable(),
  /** Its TLS certificates (PEM) to be pinned, the newest first; two while it changes them. */
  certificates: z.array(z.string().max(10_000)).min(1).max(2),
  /** Its Ed25519 public keys for call tokens, as JWKs (RFC 8037) with `kid`. */
  tokenKeys: z
    .array(
      z.object({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: z.string().max(100),
        kid: z.string().max(100),
      }),
    )
    .min(1)
    .max(2),
  /** Lines `type base64` of its host’s SSH keys; empty where it has no sshd. */
  sshHostKeys: z.array(z.string().max(2000)).max(10),
  /** The user key with which it will drop files: `type base64`. */
  sshUserKey: z.string().max(2000),
  /** Where files for it are dropped. */
  sshUser: z.string().max(64),
  queueDir: z.string().max(1000),
});
export type Identity = z.infer<typeof identitySchema>;
