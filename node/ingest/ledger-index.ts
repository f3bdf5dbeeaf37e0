import type { Watermark } from '../../protocol/messages.ts';
import type { LedgerEntry, LedgerLine, LedgerOutcome } from './ledger-lines.ts';

/** Outcomes after which the mail is marked as read: a job answers it. The others stay as people find them. */
const FLAGGED: ReadonlySet<LedgerOutcome> = new Set([
  'accepted',
  'refused',
  'too-large',
  'duplicate',
  'bad-token',
]);

/** What the ledger's lines say, in memory. */
export interface LedgerIndex {
  readonly add: (line: LedgerLine) => void;
  readonly find: (job: string) => { readonly digest: string | null } | null;
  /** Null where a rescan is due, or this UIDVALIDITY was never caught up with. */
  readonly watermark: (uidValidity: string) => number | null;
  /** The same, whether or not a rescan is due. */
  readonly level: (uidValidity: string) => number | null;
  readonly latestWatermark: () => Watermark | null;
  readonly rescanDue: () => boolean;
  readonly startedAt: () => Temporal.Instant | null;
  readonly lastReceivedAt: () => Temporal.Instant | null;
  readonly unflagged: (uidValidity: string) => readonly number[];
}

export function createLedgerIndex(): LedgerIndex {
  const digests = new Map<string, string | null>();
  const levels = new Map<string, number>();
  /** The UIDVALIDITY that was caught up with last. */
  let latest: string | null = null;
  let rescanDue = false;
  /** UIDs still without their flags, of the UIDVALIDITY that was seen last. */
  let unflagged: { uidValidity: string; uids: number[] } = { uidValidity: '', uids: [] };
  let startedAt: Temporal.Instant | null = null;
  let lastReceivedAt: Temporal.Instant | null = null;

  const addEntry = (entry: LedgerEntry): void => {
    digests.set(entry.job, digests.get(entry.job) ?? entry.digest);
    lastReceivedAt = later(lastReceivedAt, requestedAt(entry));
    if (entry.uidValidity === null || entry.uid === null) return;
    const { uidValidity, uid } = entry;
    const level = levels.get(uidValidity);
    // What is recorded while the mailbox is caught up with comes in no order that says anything of the mails before.
    if (level !== undefined && !rescanDue) levels.set(uidValidity, Math.max(level, uid));
    if (unflagged.uidValidity !== uidValidity) unflagged = { uidValidity, uids: [] };
    if (FLAGGED.has(entry.outcome)) unflagged.uids.push(uid);
  };

  const add = (line: LedgerLine): void => {
    switch (line.kind) {
      case 'entry':
        return addEntry(line);
      case 'flagged':
        if (unflagged.uidValidity !== line.uidValidity) return;
        unflagged.uids = unflagged.uids.filter((uid) => uid > line.uid);
        return;
      case 'rescan':
        rescanDue = true;
        return;
      case 'watermark':
        levels.set(line.uidValidity, Math.max(line.uid, levels.get(line.uidValidity) ?? 0));
        latest = line.uidValidity;
        rescanDue = false;
        startedAt ??= Temporal.Instant.from(line.at);
        return;
      case 'stream':
    }
  };
  const level: LedgerIndex['level'] = (uidValidity) => levels.get(uidValidity) ?? null;
  const watermark: LedgerIndex['watermark'] = (uidValidity) => (rescanDue ? null : level(uidValidity));

  return {
    add,
    find: (job) => {
      const digest = digests.get(job);
      return digest === undefined ? null : { digest };
    },
    level,
    watermark,
    latestWatermark: () => {
      const uid = latest === null ? null : watermark(latest);
      return latest === null || uid === null ? null : { uidValidity: latest, uid };
    },
    rescanDue: () => rescanDue,
    startedAt: () => startedAt,
    lastReceivedAt: () => lastReceivedAt,
    unflagged: (uidValidity) => (unflagged.uidValidity === uidValidity ? [...unflagged.uids] : []),
  };
}

/**
 * When the server took in a mail that a job was made of. Mail that none was made of, as spam, says nothing of when
 * requests were last taken; and a time after the taking itself is wrong, and would hide all mail up to it.
 */
export function requestedAt({ receivedAt, digest, uid, at }: LedgerEntry): Temporal.Instant | null {
  if (receivedAt === null || digest === null || uid === null) return null;
  return earlier(Temporal.Instant.from(receivedAt), Temporal.Instant.from(at));
}

export function earlier(a: Temporal.Instant, b: Temporal.Instant): Temporal.Instant {
  return Temporal.Instant.compare(a, b) < 0 ? a : b;
}

/** The later of two that are there. */
export function later(a: Temporal.Instant | null, b: Temporal.Instant | null): Temporal.Instant | null {
  if (a === null || b === null) return a ?? b;
  return Temporal.Instant.compare(a, b) < 0 ? b : a;
}
