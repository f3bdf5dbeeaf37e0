import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { sha256Schema } from '../../protocol/job.ts';
import { instantSchema } from '../../protocol/ledger.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../platform/clock.ts';
import { namesIn, readBounded, removeDurable, TEMPORARY_PREFIX, writeDurable } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

/** Past one of these the oldest mails make room; in the mailbox they lie on. */
const MAX_MAILS = 500;
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_ABOUT_BYTES = 64 * 1024;
const MAX_MAIL_BYTES = 128 * 1024 * 1024;
const ABOUT = '.json';
const MAIL = '.eml';

const aboutSchema = z.strictObject({
  /** SHA-256 of the raw mail. */
  id: sha256Schema,
  at: instantSchema,
  receivedAt: instantSchema,
  /** What it would be as a job. */
  identity: sha256Schema,
  /** Its one From address; null where it names none, or several. */
  from: z.string().max(320).nullable(),
  fromText: z.string(),
  /** Without its tokens. */
  subject: z.string(),
  /** Why its sender is not proved, see {@link Proof}. */
  reason: z.string().max(100),
  detail: z.string(),
  sizeBytes: z.int().nonnegative(),
  /** True where the header alone is kept: the mail is over MAIL_MAX_BYTES. */
  truncated: z.boolean(),
});
/** A mail in quarantine, without its content. */
export type Quarantined = Readonly<z.infer<typeof aboutSchema>>;
export type NewQuarantined = Omit<Quarantined, 'id' | 'at' | 'sizeBytes'>;

/** Mails whose sender could not be proved, as they came, until an operator decides. */
export interface Quarantine {
  /** Resolves when it is on disk; one that is there stays as it is. */
  add(mail: NewQuarantined, raw: Buffer): Promise<Quarantined>;
  /** The newest first. */
  list(): readonly Quarantined[];
  /** The mail as it came, its tokens in it: not to be shown. @throws AppError `quarantine.unreadable` */
  read(id: string): Promise<Buffer>;
  remove(id: string): Promise<void>;
}

export interface QuarantineOptions {
  /** STATE_DIR/quarantine; mode 0700. */
  readonly directory: string;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly log: Log;
  readonly maxMails?: number;
  readonly maxBytes?: number;
}

/** Opens the quarantine, and removes what a crash left half written or half removed. */
export async function openQuarantine(options: QuarantineOptions): Promise<Quarantine> {
  const { directory, clock, audit, log, maxMails = MAX_MAILS, maxBytes = MAX_BYTES } = options;
  const pathOf = (id: string, suffix: string): string => join(directory, id + suffix);
  const mails = await load(directory, log);

  const remove = async (id: string): Promise<void> => {
    // A mail is there as long as the word about it is.
    await removeDurable(pathOf(id, ABOUT));
    await removeDurable(pathOf(id, MAIL));
    mails.delete(id);
  };

  const makeRoom = async (): Promise<void> => {
    for (;;) {
      const bytes = [...mails.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const oldest = byAge(mails)[0];
      if (oldest === undefined || (mails.size <= maxMails && (bytes <= maxBytes || mails.size === 1))) return;
      const facts = { mail: oldest.id, job: oldest.identity, from: oldest.from };
      await audit.record({ event: 'quarantine.dropped', ...facts });
      await remove(oldest.id);
      log.warn('the quarantine is full: its oldest mail is dropped, undecided', facts);
    }
  };

  return {
    add: async (mail, raw) => {
      const id = createHash('sha256').update(raw).digest('hex');
      const there = mails.get(id);
      if (there !== undefined) return there;
      const at = clock.now().toString({ smallestUnit: 'millisecond' });
      const about = aboutSchema.parse({ ...mail, id, at, sizeBytes: raw.length });
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeDurable(pathOf(id, MAIL), raw);
      await writeDurable(pathOf(id, ABOUT), `${JSON.stringify(about, null, 1)}\n`);
      mails.set(id, about);
      await makeRoom();
      return about;
    },
    list: () => byAge(mails).toReversed(),
    read: async (id) => {
      try {
        const raw = await readBounded(pathOf(id, MAIL), MAX_MAIL_BYTES);
        if (createHash('sha256').update(raw).digest('hex') === id) return raw;
      } catch (error) {
        throw new AppError('quarantine.unreadable', messageOf(error), { cause: error });
      }
      throw new AppError('quarantine.unreadable', `${pathOf(id, MAIL)} is not what it was`);
    },
    remove,
  };
}

async function load(directory: string, log: Log): Promise<Map<string, Quarantined>> {
  const names = await namesIn(directory);
  const mails = new Map<string, Quarantined>();
  for (const name of names) {
    if (!/^[0-9a-f]{64}\.json$/.test(name)) continue;
    const path = join(directory, name);
    try {
      const about = aboutSchema.parse(
        JSON.parse((await readBounded(path, MAX_ABOUT_BYTES)).toString('utf8')),
      );
      if (about.id + ABOUT === name) mails.set(about.id, about);
    } catch (error) {
      log.error('a mail in quarantine cannot be read', { file: path, reason: messageOf(error) });
    }
  }
  for (const name of names) {
    const isHalf = name.endsWith(MAIL) && !names.includes(name.slice(0, -MAIL.length) + ABOUT);
    if (isHalf || name.startsWith(TEMPORARY_PREFIX)) await rm(join(directory, name), { force: true });
  }
  return mails;
}

function byAge(mails: ReadonlyMap<string, Quarantined>): Quarantined[] {
  return [...mails.values()].toSorted((a, b) => a.at.localeCompare(b.at));
}
