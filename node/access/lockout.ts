import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { Clock } from '../platform/clock.ts';
import { isMissing, readBounded, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createKeyedMutex } from '../platform/mutex.ts';

/** So many wrong tokens of one sender within an hour lock that sender out, of all within a day everybody. */
export const MAX_OF_SENDER = 5;
export const MAX_OF_ALL = 100;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A lock that nobody lifts ends by itself. */
const LOCK_MS = DAY_MS;
const MAX_LOCKS = 1_000;
/** More than can be within a day before everybody is locked out. */
const MAX_ATTEMPTS = 1_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Stands for everybody where a sender would stand. */
export const EVERYBODY = '*';

const instant = z.iso.datetime({ offset: true });
const lockSchema = z.strictObject({ who: z.string().max(320), since: instant, until: instant });
const fileSchema = z.strictObject({
  version: z.literal(1),
  /** Mails with wrong tokens, each once. */
  attempts: z
    .array(
      z.strictObject({
        from: z.string().max(320),
        at: instant,
        job: z.string().max(100),
        guesses: z.int().positive(),
      }),
    )
    .max(MAX_ATTEMPTS),
  locks: z.array(lockSchema).max(MAX_LOCKS + 1),
});
type State = z.infer<typeof fileSchema>;

/** A sender, or everybody (`*`), whom no token lets in for now. */
export type Lock = Readonly<z.infer<typeof lockSchema>>;

/** Keeps whoever tries tokens out. */
export interface Lockout {
  /** The lock that holds for this sender now; null where none does. */
  lockOf(sender: string): Lock | null;
  /** Notes a mail with so many wrong tokens, once for each job. On disk when it resolves. @throws AppError `access.unwritable` */
  note(sender: string, job: string, guesses: number): Promise<void>;
  /** Those that hold now, the newest first. */
  list(): readonly Lock[];
  /** Lifts the lock of this sender, or of everybody (`*`), and forgets their attempts. False where none held. */
  clear(who: string): Promise<boolean>;
}

export interface LockoutOptions {
  /** STATE_DIR/lockout.json; mode 0600. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens what is known of wrong tokens. A file that is damaged locks nobody out, with a warning: the door itself stands. */
export async function openLockout({ path, clock, log }: LockoutOptions): Promise<Lockout> {
  const inTurn = createKeyedMutex();
  let state = await load(path, log);
  const nowMs = (): number => clock.now().epochMilliseconds;
  const held = (): Lock[] => state.locks.filter(({ until }) => msOf(until) > nowMs());

  const write = async (next: State): Promise<void> => {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeDurable(path, `${JSON.stringify(next, null, 1)}\n`);
    } catch (error) {
      throw new AppError('access.unwritable', messageOf(error), { retriable: true, cause: error });
    }
    state = next;
  };

  return {
    lockOf: (sender) => held().find(({ who }) => who === EVERYBODY || who === sender.toLowerCase()) ?? null,
    list: () => held().toSorted((a, b) => b.since.localeCompare(a.since)),
    note: (sender, job, guesses) =>
      inTurn('write', async () => {
        if (state.attempts.some((attempt) => attempt.job === job)) return;
        const from = sender.toLowerCase();
        const attempt = { from, at: clock.now().toString({ smallestUnit: 'second' }), job, guesses };
        const attempts = [...state.attempts.filter(({ at }) => nowMs() - msOf(at) < DAY_MS), attempt];
        const ofSender = attempts.filter((one) => one.from === from && nowMs() - msOf(one.at) < HOUR_MS);
        const locks = [
          ...(sumOf(ofSender) >= MAX_OF_SENDER ? [from] : []),
          ...(sumOf(attempts) >= MAX_OF_ALL ? [EVERYBODY] : []),
        ]
          .filter((who) => held().every((lock) => lock.who !== who))
          .map((who) => lockOn(who, clock.now()));
        const kept = [...held(), ...locks].slice(-MAX_LOCKS);
        await write({ version: 1, attempts: attempts.slice(-MAX_ATTEMPTS), locks: kept });
      }),
    clear: (who) =>
      inTurn('write', async () => {
        const name = who.toLowerCase();
        const isOther = ({ from }: { from: string }): boolean => name !== EVERYBODY && from !== name;
        const locks = held().filter((lock) => lock.who !== name);
        const hadLock = locks.length < held().length;
        const attempts = state.attempts.filter(isOther);
        if (!hadLock && attempts.length === state.attempts.length) return false;
        await write({ version: 1, attempts, locks });
        return hadLock;
      }),
  };
}

function lockOn(who: string, now: Temporal.Instant): Lock {
  const [since, until] = [now, now.add({ milliseconds: LOCK_MS })];
  const text = (at: Temporal.Instant): string => at.toString({ smallestUnit: 'second' });
  return { who, since: text(since), until: text(until) };
}

function sumOf(attempts: readonly { readonly guesses: number }[]): number {
  return attempts.reduce((sum, { guesses }) => sum + guesses, 0);
}

function msOf(instantText: string): number {
  return Temporal.Instant.from(instantText).epochMilliseconds;
}

async function load(path: string, log: Log): Promise<State> {
  const empty: State = { version: 1, attempts: [], locks: [] };
  try {
    const text = (await readBounded(path, MAX_FILE_BYTES)).toString('utf8');
    return fileSchema.parse(JSON.parse(text));
  } catch (error) {
    if (!isMissing(error)) {
      log.error('what was known of wrong tokens is lost: its file is damaged', {
        path,
        reason: messageOf(error),
      });
    }
    return empty;
  }
}
