import * as z from 'zod';
import type { AuditFilter, AuditLog } from '../audit.ts';
import { type HandlersOf, idPrefixOf } from './control-table.ts';

/** Entries in one answer. */
const MAX_ENTRIES = 2_000;
const MAX_TEXT_LENGTH = 320;
/** A log that is broken in more places than that is told of in part. */
const MAX_PROBLEMS = 100;

const count = z.int().nonnegative();
/** An instant as RFC 3339 text. */
const instant = z.string().refine(isInstant, 'must be an instant, as 2026-03-02T12:00:00Z');
const filter = {
  since: instant.nullable(),
  until: instant.nullable(),
  job: idPrefixOf('a job').nullable(),
  person: z.string().min(1).max(MAX_TEXT_LENGTH).nullable(),
  limit: z.int().min(1).max(MAX_ENTRIES),
};
/** Entries as the lines of the log. */
const lines = z.array(z.string()).max(MAX_ENTRIES);

/** What following the chain came to. */
export const auditVerdictSchema = z.object({
  files: count,
  entries: count,
  /** Of before there was a chain. */
  unchained: count,
  last: z.string().nullable(),
  problems: z
    .array(z.object({ file: z.string(), line: z.int().positive().nullable(), what: z.string() }))
    .max(MAX_PROBLEMS),
  /** All of them; the first are told. */
  found: count,
});
export type AuditVerdictView = z.infer<typeof auditVerdictSchema>;

/** The calls about the audit log, for the table of all. */
export const AUDIT_METHODS = {
  /** The newest entries, the newest last. */
  auditNewest: { params: z.strictObject(filter), result: z.object({ lines }) },
  /** Entries from the oldest on, a page after another: `next` of one is `after` of the next. */
  auditPage: {
    params: z.strictObject({ ...filter, after: z.string().max(MAX_TEXT_LENGTH).nullable() }),
    result: z.object({ lines, next: z.string().nullable() }),
  },
  auditVerify: {
    params: z.strictObject({
      fromMonth: z
        .string()
        .regex(/^\d{4}-\d{2}$/, 'must be a month, as 2026-03')
        .nullable(),
    }),
    result: auditVerdictSchema,
  },
} as const;

export type AuditControl = HandlersOf<typeof AUDIT_METHODS>;

/** What node-ctl can ask of the audit log. */
export function createAuditControl(audit: AuditLog): AuditControl {
  return {
    auditNewest: async ({ limit, ...wanted }, signal) => ({
      lines: [...(await audit.newest(filterOf(wanted), limit, signal))],
    }),
    auditPage: async ({ limit, after, ...wanted }, signal) => {
      const page = await audit.page(filterOf(wanted), after, limit, signal);
      return { lines: [...page.lines], next: page.next };
    },
    auditVerify: async ({ fromMonth }, signal) => {
      const verdict = await audit.verify(fromMonth, signal);
      return { ...verdict, problems: [...verdict.problems] };
    },
  };
}

interface Wanted {
  readonly since: string | null;
  readonly until: string | null;
  readonly job: string | null;
  readonly person: string | null;
}

function filterOf({ since, until, job, person }: Wanted): AuditFilter {
  return { since: instantOf(since), until: instantOf(until), job, person };
}

function instantOf(text: string | null): Temporal.Instant | null {
  return text === null ? null : Temporal.Instant.from(text);
}

function isInstant(text: string): boolean {
  try {
    Temporal.Instant.from(text);
    return true;
  } catch {
    return false; // what is wrong with it is told by the schema
  }
}
