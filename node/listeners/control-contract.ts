import * as z from 'zod';
import { doorSchema, laneSchema, outcomeSchema, sourceNameSchema } from '../../protocol/job.ts';
import { jobStateSchema, peerStatusSchema, roleSchema, termSchema } from '../../protocol/messages.ts';
import { AUDIT_METHODS } from './control-audit.ts';
import { DOUBT_METHODS } from './control-doubts.ts';
import { diskViewSchema } from './space-view.ts';
import { INDEX_METHODS, indexStatusSchema } from './control-index.ts';
import { LEADERSHIP_METHODS } from './control-leadership.ts';
import { LINK_METHODS } from './control-links.ts';
import { MAC_METHODS } from './control-mac.ts';
import { PAIRING_METHODS } from './control-pairing.ts';
import { QUARANTINE_METHODS } from './control-quarantine.ts';
import { TOKEN_METHODS } from './control-tokens.ts';
import { PEOPLE_METHODS } from './control-people.ts';
import { SERVER_METHODS } from './control-servers.ts';
import { idPrefixOf } from './control-table.ts';

/** Calls are `POST /control/v1/<method>` with a JSON body, over the control socket. */
export const CONTROL_PATH = '/control/v1';

const MAX_TEXT_LENGTH = 2000;
/** Most jobs in one list, and most recordings in one search's answer; totals are told beside them. */
const MAX_LISTED_JOBS = 500;
const MAX_LISTED_RECORDINGS = 10_000;

const shortText = z.string().max(MAX_TEXT_LENGTH);
const count = z.int().nonnegative();
/** An instant as RFC 3339 text. */
const instant = z.string();

export type JobState = z.infer<typeof jobStateSchema>;

/** What can be paused: the taking of mails, or the working of jobs (what runs is finished). */
export const pausableSchema = z.enum(['ingest', 'queue']);
export type Pausable = z.infer<typeof pausableSchema>;

/** The other node of the pair, as this one sees it now. */
export const peerViewSchema = z.object({
  id: z.string(),
  /** False where PEER_RPC is off: it cannot be asked. */
  rpc: z.boolean(),
  /** What it says of itself; null where it does not answer. */
  status: peerStatusSchema.nullable(),
  /** Why it did not answer, and what mends it. */
  error: z.string().nullable(),
  lastAnswerAt: instant.nullable(),
  /** Of a call and its answer, in milliseconds. */
  latencyMs: z.number().nonnegative().nullable(),
  /** How far its clock is ahead of this node's, in milliseconds; negative where it is behind. */
  clockDifferenceMs: z.number().nullable(),
  /** Entries of this node's ledger that the peer does not have yet. */
  ledgerBehind: count,
});
export type PeerView = z.infer<typeof peerViewSchema>;

/** How a node is. */
export const nodeStatusSchema = z.object({
  nodeId: z.string(),
  version: z.string(),
  /** MODE of the configuration, the first role; `role` is the one it has now, since `since`. */
  mode: z.enum(['master', 'slave']),
  role: roleSchema,
  /** Grows with each change of master. */
  term: termSchema,
  since: instant,
  /** Sentences on what is going on about the mastership, why, and what to do; none where all is as it should be. */
  leadership: z.array(z.string()),
  /** Null for a node alone. */
  peer: peerViewSchema.nullable(),
  uptimeSeconds: z.number().nonnegative(),
  /** The watch over the mailbox; null on a node that does not read it. */
  ingest: z
    .object({
      /** A word or short sentence of the ingest room: `watching`, `connecting`. */
      state: z.string(),
      paused: z.boolean(),
      lastMailAt: instant.nullable(),
      /** With its time, and since when it is over. */
      lastError: z.string().nullable(),
    })
    .nullable(),
  queue: z.object({
    paused: z.boolean(),
    lanes: z.array(z.object({ lane: laneSchema, pending: count, processing: count })),
    completed: count,
    failed: count,
  }),
  sources: z.array(sourceNameSchema),
  /** Of the sources that have one. A daemon from before an upgrade does not tell. */
  indexes: z.array(indexStatusSchema).default([]),
  publisher: z.enum(['web', 's3']),
  stateDir: z.string(),
  /** A daemon from before an upgrade does not tell. */
  disk: diskViewSchema.nullable().default(null),
  /** What an operator should know: the warnings of the configuration, a disk nearly full. */
  warnings: z.array(z.string()),
});
export type NodeStatus = z.infer<typeof nodeStatusSchema>;

/** A job as a list shows it. */
export const jobSummarySchema = z.object({
  id: z.string(),
  state: jobStateSchema,
  lane: laneSchema,
  command: z.string(),
  subject: z.string(),
  requester: z.string().nullable(),
  door: doorSchema,
  source: sourceNameSchema.nullable(),
  acceptedAt: instant,
  attempts: count,
  /** Not to be tried before; null for at once. */
  notBefore: instant.nullable(),
  /** In its lane, 1 is next or running; null for a job that has ended. */
  position: z.int().positive().nullable(),
  /** The handler's last word on how far it is. */
  progress: z.string().nullable(),
  lastError: z.object({ code: z.string(), message: z.string(), at: instant }).nullable(),
  outcome: outcomeSchema.nullable(),
});
export type JobSummary = z.infer<typeof jobSummarySchema>;

/** A job in full. */
export const jobViewSchema = jobSummarySchema.extend({
  acceptedBy: z.string(),
  params: z.record(z.string(), z.json()),
  steps: z.array(z.object({ name: z.string(), intentAt: instant, doneAt: instant.nullable() })),
  /** What was delivered, the ZIP among it; empty before the job is done. */
  links: z.array(z.object({ name: z.string(), url: z.string(), sizeBytes: count.nullable() })),
  linksExpireAt: instant.nullable(),
  /** When they were taken back: why there are none. */
  linksRevokedAt: instant.nullable(),
});
export type JobView = z.infer<typeof jobViewSchema>;

/** What an operator asks for, as text: the grammar of RAMAIS judges it, as it judges a subject. */
export const recordingsQuerySchema = z.strictObject({
  ramais: shortText.min(1),
  inicio: shortText.min(1),
  fim: shortText.min(1),
  server: shortText.nullable(),
  audiosFrom: sourceNameSchema.nullable(),
});
export type RecordingsQuery = z.infer<typeof recordingsQuerySchema>;

/** What a search found, and where it looked. */
export const searchResultSchema = z.object({
  source: sourceNameSchema,
  timeZone: z.string(),
  /** Wall-clock text in `timeZone`, both included. */
  start: z.string(),
  end: z.string(),
  /** By start time; at most as many as were asked for. */
  recordings: z.array(
    z.object({
      key: z.string(),
      origin: z.string(),
      destination: z.string(),
      startedAt: z.string(),
      sizeBytes: count,
      format: z.string(),
      /** It lies in cold storage, and cannot be read before somebody restores it. */
      archived: z.literal(true).optional(),
    }),
  ),
  total: count,
  totalBytes: count,
  /** Whether SERVER could narrow the search; null where none was asked for. */
  narrowedByServer: z.boolean().nullable(),
  /** Places that could not be read: the answer is then incomplete. */
  unreadable: z.array(z.string()),
});
export type SearchResult = z.infer<typeof searchResultSchema>;

/** A job's id or the beginning of it, of at least four digits. */
const idPrefix = idPrefixOf('a job');

/** What an act did, as a sentence for the operator. */
const said = z.object({ message: z.string() });
const done = said.extend({ id: z.string() });

/**
 * Every call there is: what it takes and what it gives. Server and client are both made from this table.
 * A new node-ctl command is one line here, one function in {@link NodeControl} and its words in the client.
 */
export const CONTROL_METHODS = {
  status: { params: z.strictObject({}), result: nodeStatusSchema },
  /** Newest first; `total` counts all that match. */
  jobs: {
    params: z.strictObject({
      state: jobStateSchema.nullable(),
      limit: z.int().min(1).max(MAX_LISTED_JOBS),
    }),
    result: z.object({ jobs: z.array(jobSummarySchema), total: count }),
  },
  job: { params: z.strictObject({ id: idPrefix }), result: jobViewSchema },
  /** Tries a failed job again, or one that waits for its next attempt at once. */
  retry: { params: z.strictObject({ id: idPrefix }), result: done },
  cancel: { params: z.strictObject({ id: idPrefix }), result: done },
  pause: { params: z.strictObject({ what: pausableSchema }), result: said },
  resume: { params: z.strictObject({ what: pausableSchema }), result: said },
  search: {
    params: recordingsQuerySchema.extend({ limit: z.int().min(1).max(MAX_LISTED_RECORDINGS) }),
    result: searchResultSchema,
  },
  /** Puts a RAMAIS job into the queue; without `email` nobody but the caller is told, by `job`. */
  export: {
    params: recordingsQuerySchema.extend({ email: shortText.nullable() }),
    result: z.object({ jobId: z.string(), message: z.string() }),
  },
  ...LEADERSHIP_METHODS,
  ...PAIRING_METHODS,
  ...PEOPLE_METHODS,
  ...DOUBT_METHODS,
  ...AUDIT_METHODS,
  ...INDEX_METHODS,
  ...TOKEN_METHODS,
  ...QUARANTINE_METHODS,
  ...SERVER_METHODS,
  ...MAC_METHODS,
  ...LINK_METHODS,
} as const;

export type ControlMethod = keyof typeof CONTROL_METHODS;
export type ControlParams<M extends ControlMethod> = z.output<(typeof CONTROL_METHODS)[M]['params']>;
export type ControlResult<M extends ControlMethod> = z.output<(typeof CONTROL_METHODS)[M]['result']>;

/**
 * What a node lets its operator do. Called with checked parameters; `signal` aborts when the caller hangs up.
 * @throws AppError `request.invalid` (its message names every fault, one a line), `job.not-found`,
 * `job.ambiguous`, `job.wrong-state`
 */
export type NodeControl = {
  readonly [M in ControlMethod]: (
    params: ControlParams<M>,
    signal: AbortSignal,
  ) => Promise<ControlResult<M>> | ControlResult<M>;
};

/** An error as it crosses the socket. */
export const problemSchema = z.object({ code: z.string(), message: z.string() });
