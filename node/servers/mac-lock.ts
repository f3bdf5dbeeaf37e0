import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { Clock } from '../platform/clock.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import { TRANSACTION } from './mac-journal.ts';
import type { RemoteFiles } from './remote.ts';

/** A lock of the other node that stays the same for so long has nobody behind it: a change takes a minute at most. */
const STALE_MS = 600_000;
const MAX_OWNERS = 100;
const MAX_OWNER_BYTES = 10_000;
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
const OWNER = /^([a-z][a-z0-9-]{0,31})\.[0-9a-f]{16}$/;

const ownerSchema = z.object({ transaction: z.string().regex(TRANSACTION) });

/** The lock of a server, held. */
export interface HeldLock {
  /** Changes that whoever held it before may have left half-way. */
  readonly left: readonly string[];
  /** Says which change is about to begin, for whoever finds the lock after a crash. */
  begin(transaction: string): Promise<void>;
  hasBegun(): boolean;
  /** Releases it where that can be had, and gives the error to be thrown; a lock that is left is taken over by the next call. */
  giveBack<E>(error: E): Promise<E>;
  /** After this all is settled: a lock is only given back when nothing is half-way. */
  release(): Promise<void>;
}

export interface MacLocks {
  /**
   * Takes the lock of a server: a directory that holds a file of whoever has it. This node's own, of a process that
   * died or lost its connection, is taken over at once (nobody else in this process may hold it), the other node's when it
   * has stayed the same for ten minutes of this node's clock. @throws AppError `mac.locked` (retriable)
   */
  acquire(files: RemoteFiles, directory: string, serverId: string): Promise<HeldLock>;
}

/**
 * Two that come at once both write their file and then look: who sees another's takes its own away, so at most one goes
 * on. A file that is taken over is renamed, which one alone can do. So neither depends on a clock or on luck.
 */
export function createMacLocks(nodeId: string, clock: Clock): MacLocks {
  /** The owner files of a server as they were first seen, and when. */
  const seen = new Map<string, { readonly names: string; readonly sinceMs: number }>();

  const isStale = (serverId: string, names: readonly string[]): boolean => {
    const joined = names.join(' ');
    const known = seen.get(serverId);
    const since = known?.names === joined ? known : { names: joined, sinceMs: clock.monotonicMs() };
    seen.set(serverId, since);
    return clock.monotonicMs() - since.sinceMs >= STALE_MS;
  };

  return {
    acquire: async (files, directory, serverId) => {
      await ensureDirectory(files, directory);
      const list = async (): Promise<string[]> =>
        (await files.list(directory, MAX_OWNERS)).filter((name) => OWNER.test(name)).toSorted();
      const own = `${nodeId}.${randomBytes(8).toString('hex')}`;
      const found = await list();
      const others = found.filter((name) => OWNER.exec(name)?.[1] !== nodeId);
      if (others.length > 0 && !isStale(serverId, others)) throw locked(others);
      const left: string[] = [];
      const held = [own];
      const [first, ...more] = found;
      if (first === undefined) {
        await files.create(`${directory}/${own}`, Buffer.alloc(0), { mode: PRIVATE_FILE });
        const now = await list();
        if (now.length !== 1 || now[0] !== own) {
          await files.remove(`${directory}/${own}`);
          throw locked(now.filter((name) => name !== own));
        }
      } else {
        await takeOver(files, `${directory}/${first}`, `${directory}/${own}`);
        held.push(...more);
        for (const name of held) left.push(...(await transactionOf(files, `${directory}/${name}`)));
      }
      seen.delete(serverId);
      let begun = false;
      const release = async (): Promise<void> => {
        for (const name of held.toReversed()) await files.remove(`${directory}/${name}`);
      };
      return {
        left,
        hasBegun: () => begun,
        release,
        giveBack: async (error) => {
          await release().catch(() => undefined); // as said: the next call takes it over
          return error;
        },
        begin: async (transaction) => {
          const name = `${nodeId}.${randomBytes(8).toString('hex')}`;
          const content = Buffer.from(JSON.stringify({ transaction, at: clock.now().toString() }));
          held.push(name);
          begun = true;
          await files.create(`${directory}/${name}`, content, { mode: PRIVATE_FILE });
        },
      };
    },
  };
}

/** Makes a directory that is to be there; not those above it. */
export async function ensureDirectory(files: RemoteFiles, directory: string): Promise<void> {
  try {
    await files.makeDirectory(directory, PRIVATE_DIRECTORY);
  } catch (error) {
    if (codeOf(error) !== 'server.exists') throw error;
  }
}

async function takeOver(files: RemoteFiles, theirs: string, own: string): Promise<void> {
  try {
    await files.rename(theirs, own);
  } catch (error) {
    if (codeOf(error) === 'server.no-file') throw locked([theirs]); // somebody else was faster, or it is given back
    throw error;
  }
}

/** A file that was never written to its end belongs to nobody who had begun. */
async function transactionOf(files: RemoteFiles, path: string): Promise<string[]> {
  let text: string;
  try {
    text = (await files.read(path, MAX_OWNER_BYTES)).toString();
  } catch (error) {
    if (codeOf(error) === 'server.no-file') return []; // given back meanwhile
    throw error;
  }
  try {
    return [ownerSchema.parse(JSON.parse(text)).transaction];
  } catch {
    return [];
  }
}

function locked(by: readonly string[]): AppError {
  const who = by.map((name) => name.split('/').at(-1)?.split('.')[0]).join(', ');
  return new AppError('mac.locked', `another change is under way on this server (${who})`, {
    retriable: true,
  });
}
