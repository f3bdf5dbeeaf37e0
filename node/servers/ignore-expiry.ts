import * as z from 'zod';
import type { Audit } from '../audit.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { Bans } from './bans.ts';
import type { Server } from './inventory.ts';

const ROUND_MS = 3_600_000;
/** A node that has just started has more urgent things to do. */
const FIRST_ROUND_MS = 60_000;
/** The helper goes by its server's clock, which may be behind: so long after its end an entry may still lie there. */
const MAX_SKEW_MS = 2 * ROUND_MS;
/** Servers times the addresses that people have had released within CHECKIP_IGNORE_DAYS. */
const MAX_NOTES = 20_000;
const MAX_FILE_BYTES = 8_388_608;

const noteSchema = z.strictObject({
  server: z.string().max(64),
  ip: z.string().max(64),
  until: z.string().max(64),
});
type Note = z.infer<typeof noteSchema>;
const fileSchema = z.strictObject({ version: z.literal(1), entries: z.array(noteSchema) });

/** Which addresses this node has had ignored where, so that they are taken out when their time is over. */
export interface IgnoreExpiry {
  /**
   * To be called before an address is ignored: on disk when it resolves, so that a crash leaves none behind.
   * @throws AppError `servers.too-many`
   */
  note(server: Server, ip: string, until: Temporal.Instant): Promise<void>;
  /**
   * Visits each server that has entries of this node: takes out what has had its time, and has jails that came since
   * ignore the rest. A server that is away is tried again in the next round. Says what it did.
   */
  round(signal: AbortSignal): Promise<string>;
  /** A round each hour until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface IgnoreExpiryOptions {
  /** STATE_DIR/ignored.json */
  readonly path: string;
  readonly servers: readonly Server[];
  readonly bans: Bans;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly log: Log;
}

export async function openIgnoreExpiry(options: IgnoreExpiryOptions): Promise<IgnoreExpiry> {
  const { path, clock, log } = options;
  let notes = await load(path);
  const inTurn = createKeyedMutex();
  const save = async (next: readonly Note[]): Promise<void> => {
    await writeDurable(path, JSON.stringify({ version: 1, entries: next }));
    notes = next;
  };

  const round = async (signal: AbortSignal): Promise<string> => {
    const visited = [...new Set(notes.map(({ server }) => server))];
    const sentences: string[] = [];
    for (const id of visited) {
      if (signal.aborted) break;
      // What is noted meanwhile has not had its time.
      const now = clock.now().subtract({ milliseconds: MAX_SKEW_MS }).toString();
      const { gone, sentence } = await visit(
        options,
        id,
        notes.filter((one) => one.server === id && isOver(one, now)),
        signal,
      );
      sentences.push(`${id}: ${sentence}`);
      if (!gone) continue;
      await inTurn('notes', async () => {
        const left = notes.filter((one) => one.server !== id || !isOver(one, now));
        if (left.length < notes.length) await save(left);
      });
    }
    return sentences.length === 0 ? 'no ignore entries of this node anywhere' : sentences.join('; ');
  };

  return {
    note: (server, ip, until) =>
      inTurn('notes', async () => {
        const others = notes.filter((one) => one.server !== server.id || one.ip !== ip);
        if (others.length >= MAX_NOTES) {
          throw new AppError('servers.too-many', `${MAX_NOTES} addresses are ignored already`);
        }
        const known = notes.find((one) => one.server === server.id && one.ip === ip);
        const later = known !== undefined && isOver({ until: until.toString() }, known.until);
        await save([...others, { server: server.id, ip, until: later ? known.until : until.toString() }]);
      }),
    round,
    run: async (signal) => {
      for (let waitMs = FIRST_ROUND_MS; ; waitMs = ROUND_MS) {
        await clock.sleep(waitMs, signal).catch(() => undefined); // rejects on abort alone
        if (signal.aborted) return;
        try {
          log.info(await round(signal));
        } catch (error) {
          log.warn('ignore entries could not be looked after; again in an hour', {
            code: codeOf(error),
            reason: messageOf(error),
          });
        }
      }
    },
  };
}

/** One server; `gone` where what is over is not ignored there any more. */
async function visit(
  { servers, bans, audit }: IgnoreExpiryOptions,
  id: string,
  over: readonly Note[],
  signal: AbortSignal,
): Promise<{ gone: boolean; sentence: string }> {
  const server = servers.find((one) => one.id === id);
  if (server === undefined) return { gone: true, sentence: 'is not in SERVERS_FILE any more' };
  if (!server.enabled) return { gone: false, sentence: 'is disabled' };
  try {
    const sentence = await bans.expire(server, signal);
    // Once a server, not once an address: what had its time is in the file's own words.
    if (over.length > 0) {
      await audit.record({ event: 'ban.ignore-expired', server: id, ips: over.map(({ ip }) => ip) });
    }
    return { gone: true, sentence };
  } catch (error) {
    return { gone: false, sentence: `later (${codeOf(error)}: ${messageOf(error)})` };
  }
}

function isOver({ until }: Pick<Note, 'until'>, now: string): boolean {
  return Temporal.Instant.compare(Temporal.Instant.from(until), Temporal.Instant.from(now)) <= 0;
}

async function load(path: string): Promise<readonly Note[]> {
  let text: string;
  try {
    text = (await readBounded(path, MAX_FILE_BYTES)).toString();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return fileSchema.parse(JSON.parse(text)).entries;
}
