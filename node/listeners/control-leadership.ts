import * as z from 'zod';
import { handoffIdSchema, leadershipSchema, nodeIdSchema, termSchema } from '../../protocol/messages.ts';
import type { AuditEvent } from '../audit.ts';
import type { ActResult, Leadership, Plan } from '../leadership/leadership.ts';
import { roleRecordSchema } from '../leadership/record.ts';
import type { HandlersOf } from './control-table.ts';

const MAX_WAIT_MS = 15_000;
const MAX_RECORDS = 201;

const sentences = z.array(z.string());
const waitMs = z.int().min(0).max(MAX_WAIT_MS);

/** How a wish went; `plan` for a dry run, with its steps and what would stop them. */
const actSchema = z.object({
  kind: z.enum(['done', 'refused', 'in-progress', 'plan']),
  /** By which it can be asked about; null where nothing was begun. */
  handoffId: handoffIdSchema.nullable(),
  term: termSchema.nullable(),
  message: z.string(),
  steps: sentences,
  obstacles: sentences,
});
export type LeadershipAct = z.infer<typeof actSchema>;

const handoffSchema = z.object({
  id: handoffIdSchema,
  state: z.enum(['in-progress', 'done', 'refused']),
  term: termSchema.nullable(),
  /** Where it stands, or how it ended and what to do. */
  sentence: z.string(),
  at: z.string(),
});
export type HandoffView = z.infer<typeof handoffSchema>;

/** Calls about the role, as entries of `CONTROL_METHODS`. */
export const LEADERSHIP_METHODS = {
  /** `confirm`: with `force`, the peer's name as the operator typed it. */
  promote: {
    params: z.strictObject({
      dryRun: z.boolean(),
      force: z.boolean(),
      confirm: z.string().max(100).nullable(),
      waitMs,
    }),
    result: actSchema,
  },
  demote: { params: z.strictObject({ dryRun: z.boolean(), waitMs }), result: actSchema },
  /** How a handoff stands; null where this node does not know it. */
  handoff: {
    params: z.strictObject({ id: handoffIdSchema }),
    result: z.object({ handoff: handoffSchema.nullable() }),
  },
  leadership: {
    params: z.strictObject({}),
    result: z.object({
      view: leadershipSchema,
      peerId: nodeIdSchema.nullable(),
      /** What is going on, why, and what to do. */
      explanation: sentences,
    }),
  },
  /** The newest first; `total` counts all that are kept. */
  leadershipHistory: {
    params: z.strictObject({ limit: z.int().min(1).max(MAX_RECORDS) }),
    result: z.object({ records: z.array(roleRecordSchema), total: z.int().nonnegative() }),
  },
} as const;

type Methods = typeof LEADERSHIP_METHODS;
export type LeadershipHistory = z.output<Methods['leadershipHistory']['result']>;
export type LeadershipControl = HandlersOf<Methods>;

export interface LeadershipControlOptions {
  readonly leadership: Leadership;
  readonly peerId: string | null;
  /** Puts what an operator wished into the audit log. */
  readonly record: (event: AuditEvent) => Promise<void>;
}

/** What node-ctl can have a node do about its role. */
export function createLeadershipControl({
  leadership,
  peerId,
  record,
}: LeadershipControlOptions): LeadershipControl {
  return {
    promote: async ({ dryRun, force, confirm, waitMs: wait }) => {
      if (dryRun) return asPlan(await leadership.planPromote({ force }));
      const act = await leadership.promote({ force, confirm, waitMs: wait });
      await record({ event: 'leadership.promote', force, handoff: act.handoffId, result: act.kind });
      return asAct(act);
    },
    demote: async ({ dryRun, waitMs: wait }) => {
      if (dryRun) return asPlan(await leadership.planDemote());
      const act = await leadership.demote({ waitMs: wait });
      await record({ event: 'leadership.demote', handoff: act.handoffId, result: act.kind });
      return asAct(act);
    },
    handoff: async ({ id }) => ({ handoff: leadership.handoff(id) }),
    leadership: async () => ({ view: leadership.view(), peerId, explanation: leadership.explain() }),
    leadershipHistory: async ({ limit }) => {
      const records = leadership.history();
      return { records: records.toReversed().slice(0, limit), total: records.length };
    },
  };
}

function asAct(act: ActResult): LeadershipAct {
  return { ...act, steps: [], obstacles: [] };
}

function asPlan({ steps, obstacles }: Plan): LeadershipAct {
  const message =
    obstacles.length === 0
      ? 'nothing seen from here would stop it'
      : 'as things are, it would not go through';
  return { kind: 'plan', handoffId: null, term: null, message, steps: [...steps], obstacles: [...obstacles] };
}
