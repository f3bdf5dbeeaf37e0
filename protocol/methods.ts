import * as z from 'zod';
import { jobRequestSchema, sha256Schema, sourceNameSchema } from './job.ts';
import {
  MAX_ACCESS_PAGE,
  MAX_JOB_PAGE,
  MAX_LEDGER_PAGE,
  accessRecordSchema,
  askedJobSchema,
  count,
  grantSchema,
  handoffIdSchema,
  identitySchema,
  jobReportSchema,
  leadershipSchema,
  nodeIdSchema,
  peerStatusSchema,
  replicatedEntrySchema,
  settledOutcomeSchema,
  termSchema,
  watermarkSchema,
} from './messages.ts';
import type { ProblemCode } from './problems.ts';

/** Calls are `POST /rpc/v1/<method>` with a JSON object as body, and are answered by one. */
export const RPC_PATH = '/rpc/v1';

/**
 * The version of this table, told by `node.status` and `leadership.get`. The number in the path changes only where an
 * old node would misunderstand a call; this one grows with every addition. Rule for meeting an older peer: parameters
 * and results may gain fields, which a node that does not know them passes over, so new fields have a meaning when
 * absent; a method the peer does not know is answered with 404 `rpc.unknown-method`, after which the caller does
 * without it (a job then goes by SCP). Nothing is ever removed within a version of the path.
 */
export const PROTOCOL_VERSION = 2;

/** A call's body may have so many bytes, and its answer too. */
export const RPC_MAX_BODY_BYTES = 1_048_576;
interface Method {
  /** What it does, for `docs/PROTOCOL.md`. */
  readonly about: string;
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  /** What it may be answered besides what every call may. */
  readonly problems: readonly ProblemCode[];
  /** Whether repeating a call whose answer was lost changes nothing more. */
  readonly idempotent: boolean;
  /** True where a caller without a client certificate is heard. */
  readonly open?: boolean;
}

/** Every method there is: server, client and `docs/PROTOCOL.md` are made from this table. */
export const RPC_METHODS = {
  'node.status': {
    about: 'How the node is.',
    params: z.object({}),
    result: peerStatusSchema,
    problems: [],
    idempotent: true,
  },
  'job.submit': {
    about:
      'Hands a job over. Answered when the job is on disk: from then on it is the answering node’s. The same id with the same digest is one job. ' +
      'With `confirmed: false` the job is not begun before the call is repeated with `true`, or some seconds have passed, so that the confirmation goes out before the result.',
    params: z.object({
      id: sha256Schema,
      digest: sha256Schema,
      request: jobRequestSchema,
      source: sourceNameSchema.nullable(),
      confirmed: z.boolean(),
      /** How often people had the job taken up again; absent for never. A failed job is, where this has grown. */
      generation: count.optional(),
    }),
    result: z.object({
      kind: z.enum(['accepted', 'duplicate']),
      report: jobReportSchema,
      /** What its search will find; null or absent where that is not known at once. */
      measured: z.object({ count, bytes: count }).nullable().optional(),
    }),
    problems: ['job.conflict', 'job.refused', 'node.disk-low', 'rpc.unavailable'],
    idempotent: true,
  },
  'job.get': {
    about: 'What became of a job; null where the node does not know it.',
    params: z.object({ id: sha256Schema }),
    result: z.object({ report: jobReportSchema.nullable() }),
    problems: [],
    idempotent: true,
  },
  'job.cancel': {
    about:
      'Ends a job before it is done. One that has ended stays as it is; null where the node does not know it. ' +
      'Without `requester` it must be one that the caller handed over; with it, one that this person asked for. ' +
      'With `told: true` the caller tells its requester, who otherwise gets a mail about it. ' +
      'Refused where what it has begun is to be brought to an end.',
    params: z.object({
      id: sha256Schema,
      requester: z.string().max(320).optional(),
      told: z.boolean().optional(),
    }),
    result: z.object({ report: jobReportSchema.nullable() }),
    problems: ['job.refused'],
    idempotent: true,
  },
  'job.list': {
    about:
      'Jobs of the answering node that came in there: the open ones of a requester (null for everybody’s), or those whose id begins with `prefix`, ended ones too. The newest first.',
    params: z.object({
      requester: z.string().max(320).nullable(),
      /** Null for the open ones. */
      prefix: z
        .string()
        .regex(/^[0-9a-f]{4,64}$/)
        .nullable(),
    }),
    result: z.object({ jobs: z.array(askedJobSchema).max(MAX_JOB_PAGE), total: count }),
    problems: [],
    idempotent: true,
  },
  'access.put': {
    about:
      'Tells people and tokens that the caller knows of; those that are newer than what the answering node has are taken over. Answered when they are on disk.',
    params: z.object({ records: z.array(accessRecordSchema).max(MAX_ACCESS_PAGE) }),
    result: z.object({ taken: count }),
    problems: ['rpc.unavailable'],
    idempotent: true,
  },
  'job.settled': {
    about: 'Reports the outcome of a job to the node that handed it over, until that has it on disk.',
    params: z.object({ id: sha256Schema, digest: sha256Schema, outcome: settledOutcomeSchema }),
    result: z.object({ kind: z.enum(['noted', 'unknown']) }),
    problems: ['job.conflict', 'rpc.unavailable'],
    idempotent: true,
  },
  'ledger.append': {
    about:
      'Replicates the caller’s own ledger: with `entries`, in the order of their serials, all that it has of `stream` between `after` and the last of them. ' +
      'Serials may leap where the caller has dropped old entries; what is missing is told by `after` alone: one that is higher than what the answering node has is a `ledger.gap`. ' +
      'Entries that are there already are passed over, so calls may come twice and out of order. Without entries it asks how far the answering node is. Answered when all is on disk.',
    params: z.object({
      /** Names the caller’s ledger; another one after that was lost or damaged. */
      stream: z.uuid(),
      /** The caller has sent what it had up to this serial, and has nothing between it and the first of these; 0 before all. */
      after: count,
      entries: z.array(replicatedEntrySchema).max(MAX_LEDGER_PAGE),
      /** How far the caller has read the mailbox, as it calls; null where that is not known. */
      watermark: watermarkSchema.nullable(),
    }),
    /** Serial of the last entry of that stream that the answering node has on disk; 0 for none. */
    result: z.object({ upTo: count }),
    problems: ['ledger.gap', 'rpc.unavailable'],
    idempotent: true,
  },
  'leadership.get': {
    about: 'The role of the node, with the grant it has given away.',
    params: z.object({}),
    result: leadershipSchema,
    problems: [],
    idempotent: true,
  },
  'leadership.handoff': {
    about:
      '`take` asks for the mastership: a master closes its inbox, sends the rest of its ledger, puts the grant on disk and answers with it. `first` asks for it where nobody is master ' +
      '(MODE=master at the first start) and is refused by a master. `offer` asks the node to take the mastership from the caller. The same handoffId is one handoff.',
    params: z.object({
      kind: z.enum(['take', 'first', 'offer']),
      handoffId: handoffIdSchema,
      /** The caller’s, and the latest term it knows of: one below the answering node’s is a call that came late. */
      from: nodeIdSchema,
      term: termSchema,
    }),
    /** The grant; null as the answer to an offer, when the node is master. */
    result: z.object({ grant: grantSchema.nullable(), leadership: leadershipSchema }),
    problems: ['leadership.refused', 'leadership.busy'],
    idempotent: true,
  },
  'pair.join': {
    about:
      'Joins two nodes: certificates and keys against the secret of an open invitation. The one method without a client certificate. ' +
      'A peer that is authenticated renews its own with it, without a secret.',
    params: z.object({ secret: z.string().max(200).nullable(), identity: identitySchema }),
    result: z.object({ identity: identitySchema }),
    problems: ['pair.refused'],
    idempotent: false,
    open: true,
  },
} as const satisfies Record<string, Method>;

export type RpcMethod = keyof typeof RPC_METHODS;
export type RpcParams<M extends RpcMethod> = z.output<(typeof RPC_METHODS)[M]['params']>;
export type RpcResult<M extends RpcMethod> = z.output<(typeof RPC_METHODS)[M]['result']>;

/** Who calls, and until when the caller waits. */
export interface RpcCall {
  /** Aborts when the caller hangs up, or the node stops. */
  readonly signal: AbortSignal;
  /** Id of the peer; null for a caller that is not authenticated (`pair.join` alone hears such). */
  readonly caller: string | null;
}

/**
 * What a node does for its peer. Called with checked parameters.
 * @throws AppError with a {@link ProblemCode} of the method; any other is answered as `rpc.failed`
 */
export type RpcHandlers = {
  readonly [M in RpcMethod]: (params: RpcParams<M>, call: RpcCall) => Promise<RpcResult<M>>;
};

/** What every call may be answered with. */
export const COMMON_PROBLEMS: readonly ProblemCode[] = [
  'rpc.unauthenticated',
  'rpc.use-nonce',
  'rpc.replayed',
  'rpc.unknown-method',
  'rpc.too-many',
  'rpc.too-large',
  'rpc.invalid',
  'rpc.failed',
  'rpc.unavailable',
];

export function isRpcMethod(name: string): name is RpcMethod {
  return Object.hasOwn(RPC_METHODS, name);
}
