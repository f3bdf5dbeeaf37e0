import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import * as z from 'zod';
import type { MacReport, MacRequest } from './mac-phones.ts';
import type { MacPlan } from './mac-plan.ts';

const MAX_PATH_LENGTH = 4096;
const MAX_REPORTED = 100;
/** Of a file's name in that of its backup. */
const MAX_NAME_SHOWN = 80;

const pathSchema = z.string().startsWith('/').max(MAX_PATH_LENGTH);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const mac = z
  .string()
  .regex(/^[0-9a-f]{12}$/)
  .nullable();
const fact = z.object({ code: z.string().max(100), message: z.string().max(5000) });
const written = z.string().max(200).nullable();
const reportSchema: z.ZodType<MacReport> = z.object({
  state: z.enum(['changed', 'already', 'refused']),
  files: z
    .array(z.object({ path: pathSchema, before: written, after: written, backup: pathSchema.nullable() }))
    .max(MAX_REPORTED),
  duplicates: z.array(z.object({ path: pathSchema, extension: z.string().max(8) })).max(10 * MAX_REPORTED),
  refusal: fact.nullable(),
  warnings: z.array(fact).max(MAX_REPORTED),
  backup: pathSchema.nullable(),
});

const likeSchema = z.object({ mode: z.int(), uid: z.int(), gid: z.int() });
export const manifestSchema = z.object({
  version: z.literal(1),
  jobId: z.string().max(100),
  request: z.object({ extension: z.string().regex(/^\d{3,8}$/), from: mac, to: mac }),
  /** Definition files: `fresh` has the new content, `former` the old, each beside `path`. */
  edits: z
    .array(
      z.object({
        path: pathSchema,
        fresh: pathSchema,
        former: pathSchema,
        backup: pathSchema,
        before: digest,
        after: digest,
      }),
    )
    .max(MAX_REPORTED),
  /** Provisioning files, which get another name; `backup` has them as they were. */
  moves: z
    .array(
      z.object({ path: pathSchema, from: pathSchema, to: pathSchema, backup: pathSchema, like: likeSchema }),
    )
    .max(MAX_REPORTED),
  /** Files of ours beside those of the server, of no use once the change is settled. */
  trash: z.array(pathSchema).max(3 * MAX_REPORTED),
  report: reportSchema,
});
export type MacManifest = z.infer<typeof manifestSchema>;

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** What is to be done and how it is taken back, with the contents of its backups by path. */
export function manifestOf(
  directory: string,
  jobId: string,
  request: MacRequest,
  plan: MacPlan,
): { manifest: MacManifest; backups: Map<string, Buffer> } {
  const tag = directory.split('-').at(-1) ?? '';
  const backups = new Map<string, Buffer>();
  const backUp = (path: string, content: Buffer): string => {
    const backup = `${directory}/${backups.size}-${posix.basename(path).slice(0, MAX_NAME_SHOWN)}`;
    backups.set(backup, content);
    return backup;
  };
  // A dot in front: a server that includes or gives out `*.def` passes them over.
  const beside = (path: string, what: string): string =>
    posix.join(posix.dirname(path), `.parelha-${tag}-${what}-${posix.basename(path)}`);
  const edits = plan.edits.map(({ path, before, after }) => ({
    path,
    fresh: beside(path, 'new'),
    former: beside(path, 'old'),
    backup: backUp(path, before.content),
    before: sha256(before.content),
    after: sha256(after),
  }));
  const moves = plan.moves.map((move) => ({
    path: move.path,
    from: move.anew ? beside(move.path, 'new') : move.path,
    to: move.to ?? beside(move.path, 'gone'),
    backup: backUp(move.path, move.file.content),
    like: { mode: move.file.stat.mode, uid: move.file.stat.uid, gid: move.file.stat.gid },
  }));
  const ours = plan.moves.flatMap(({ anew, to }, index) => {
    const made = moves[index];
    return made === undefined ? [] : [...(anew ? [made.from] : []), ...(to === null ? [made.to] : [])];
  });
  const backupOf = new Map([...edits, ...moves].map(({ path, backup }) => [path, backup]));
  const report: MacReport = {
    ...plan.report,
    files: plan.report.files.map((file) => ({ ...file, backup: backupOf.get(file.path) ?? null })),
    backup: directory,
  };
  const trash = [...edits.flatMap(({ fresh, former }) => [fresh, former]), ...ours];
  return { manifest: { version: 1, jobId, request, edits, moves, trash, report }, backups };
}
