import * as z from 'zod';

/** Media type of an error (RFC 9457 section 3). */
export const PROBLEM_TYPE = 'application/problem+json';

interface Problem {
  /** HTTP status. */
  readonly status: number;
  /** What it means, for `docs/PROTOCOL.md` and for the `title` of the problem (RFC 9457 section 3.1.3). */
  readonly title: string;
}

/**
 * Every error that crosses the wire, by its stable code. A caller decides by status alone whether to try again
 * ({@link isFinal}), and by code what to say.
 */
export const PROBLEMS = {
  'rpc.unauthenticated': { status: 401, title: 'The call is not authenticated.' },
  'rpc.use-nonce': { status: 401, title: 'The token lacks this server’s nonce; it is in the header.' },
  'rpc.replayed': { status: 401, title: 'This token has been used before.' },
  'rpc.unknown-method': { status: 404, title: 'This node knows no such method.' },
  'rpc.too-many': { status: 429, title: 'Too many calls; try again a little later.' },
  'rpc.too-large': { status: 413, title: 'The body is larger than this node takes.' },
  'rpc.invalid': { status: 400, title: 'The parameters are not those of the method.' },
  'rpc.failed': { status: 500, title: 'The node failed at the call.' },
  'rpc.unavailable': { status: 503, title: 'The node cannot do this now.' },
  'job.conflict': { status: 409, title: 'This id is known with another request.' },
  'job.refused': { status: 422, title: 'The request is not one that this node can work.' },
  'node.disk-low': { status: 422, title: 'The node has too little room on its disk for new work.' },
  'ledger.gap': { status: 503, title: 'Entries are missing before these.' },
  'leadership.refused': { status: 422, title: 'The handoff is refused; the detail says why.' },
  'leadership.busy': {
    status: 503,
    title: 'Another handoff is under way, or the inbox did not close in time.',
  },
  'pair.refused': { status: 403, title: 'Pairing is refused.' },
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof PROBLEMS;

/** A longer sentence is cut by who sends it. */
export const MAX_DETAIL_LENGTH = 2000;

/** The body of an error (RFC 9457 section 3.1), with our code. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  /** A sentence about this occurrence. */
  detail: z.string().max(MAX_DETAIL_LENGTH).optional(),
  code: z.string().max(100),
});
export type ProblemBody = z.infer<typeof problemSchema>;

/** What a repetition cannot change: all other failures are tried again. */
const FINAL: ReadonlySet<number> = new Set([400, 409, 413, 422]);

/** Whether a status ends the matter. A 404 may be an older peer, a 401 a clock or a restart, 429 and 5xx pass. */
export function isFinal(status: number): boolean {
  return FINAL.has(status);
}

/** Whether a code is one of the table's. */
export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}
