import * as z from 'zod';
import { grantSchema, nodeIdSchema } from '../../protocol/messages.ts';

const instant = z.iso.datetime({ offset: true });

/** How a node came to its role. */
const howSchema = z.enum([
  /** By MODE at the first start, with the peer's word where there is one to ask. */
  'first',
  /** By MODE or an operator, on a node without a peer. */
  'alone',
  /** By the peer's grant. */
  'handoff',
  /** By `promote --force`, without the peer's word. */
  'forced',
  /** It gave the mastership to its peer. */
  'granted',
  /** It was master, and its peer turned out to have a later term. */
  'fenced',
  /** It saw at its peer that the mastership had changed. */
  'seen',
  /** An operator's `demote` where no peer could take over by RPC. */
  'demoted',
]);

/** A node's word on its role: what stands here decides at the next start, not MODE. */
export const roleRecordSchema = z.strictObject({
  nodeId: nodeIdSchema,
  role: z.enum(['slave', 'master']),
  /** The latest term this node knows of; a master's own. */
  term: z.int().nonnegative(),
  /** When it got its role, and when this was written. */
  since: instant,
  at: instant,
  /** Who is master of `term`, as far as this node knows. */
  master: nodeIdSchema.nullable(),
  /** The mastership of `term`, given away for good. A record with a grant is never a master's. */
  grant: grantSchema.nullable(),
  how: howSchema,
  /** The handoff by which it came to this. */
  handoffId: z.uuid().nullable(),
});
export type RoleRecord = z.infer<typeof roleRecordSchema>;

/**
 * The next term for `holder`. In a pair each node has numbers of its own, the node whose id sorts first the even
 * ones, so that the two can never make the same term, forced or crossing one another. An orderly handoff to and fro
 * therefore grows by one; where a node follows itself it grows by two.
 */
export function nextTerm(above: number, holder: string, other: string | null): number {
  const next = above + 1;
  if (other === null) return next;
  const parity = sortsFirst(holder, other) ? 0 : 1;
  return next % 2 === parity ? next : next + 1;
}

/** The order that settles a draw between two nodes. */
export function sortsFirst(nodeId: string, other: string): boolean {
  return nodeId < other;
}
