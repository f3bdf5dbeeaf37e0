import * as z from 'zod';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { type RoleRecord, roleRecordSchema } from './record.ts';

const STORE_VERSION = 1;
const MAX_HISTORY = 200;
const MAX_FILE_BYTES = 1_048_576;

const fileSchema = z.strictObject({
  version: z.literal(STORE_VERSION),
  current: roleRecordSchema,
  /** What it was before, the oldest first. */
  history: z.array(roleRecordSchema).max(MAX_HISTORY),
});
type RoleFile = z.infer<typeof fileSchema>;

/** The role record on disk. */
export interface RoleStore {
  /** As it is on disk; null where this node has never had a role. */
  current(): RoleRecord | null;
  /** All records kept, the oldest first, the current one last. */
  history(): readonly RoleRecord[];
  /**
   * Resolves when the record is on disk, file and directory synced. After a failure nobody knows which of the two
   * records a restart would find. @throws AppError `leadership.unwritable` (retriable)
   */
  write(record: RoleRecord): Promise<void>;
}

/**
 * Opens STATE_DIR/role.json. A missing file is a node that never had a role; anything else that is no record of
 * this node's is not guessed about. @throws AppError `leadership.damaged`, `leadership.other-node`
 */
export async function openRoleStore(path: string, nodeId: string): Promise<RoleStore> {
  let file = await readRoleFile(path);
  if (file !== null && file.current.nodeId !== nodeId) {
    throw new AppError(
      'leadership.other-node',
      `${path} is the role record of ${file.current.nodeId}, and this node is ${nodeId}: was STATE_DIR copied? ` +
        remedy(path),
    );
  }
  return {
    current: () => file?.current ?? null,
    history: () => (file === null ? [] : [...file.history, file.current]),
    write: async (record) => {
      const before = file === null ? [] : [...file.history, file.current];
      const next: RoleFile = { version: STORE_VERSION, current: record, history: before.slice(-MAX_HISTORY) };
      try {
        await writeDurable(path, `${JSON.stringify(next, null, 2)}\n`);
      } catch (error) {
        throw new AppError('leadership.unwritable', `${path}: ${messageOf(error)}`, {
          retriable: true,
          cause: error,
        });
      }
      file = next;
    },
  };
}

async function readRoleFile(path: string): Promise<RoleFile | null> {
  try {
    const content = (await readBounded(path, MAX_FILE_BYTES)).toString('utf8');
    return fileSchema.parse(JSON.parse(content));
  } catch (error) {
    if (isMissing(error)) return null;
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new AppError('leadership.damaged', `${path} is no role record (${why}). ${remedy(path)}`, {
      cause: error,
    });
  }
}

function remedy(path: string): string {
  return (
    `Look at the other node first (node-ctl status there). Then put the file back from a backup, or move it away ` +
    `(mv ${path} ${path}.damaged): the node then starts as one that never had a role, and MODE=master waits for its peer’s word`
  );
}
