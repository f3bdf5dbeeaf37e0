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
  readonly watermark: (uidValidity: string) => number | null;
  readonly startedAt: () => Temporal.Instant | null;
  readonly lastReceivedAt: () => Temporal.Instant | null;
  readonly unflagged: (uidValidity: string) => readonly number[];
}

export function createLedgerIndex(): LedgerIndex {
  const digests = new Map<string, string | null>();
  const watermarks = new Map<string, number>();
  const highest = new Map<string, number>();
  /** UIDs still without their flags, of the UIDVALIDITY that was seen last. */
  let unflagged: { uidValidity: string; uids: number[] } = { uidValidity: '', uids: [] };
  let startedAt: Temporal.Instant | null = null;
  let lastReceivedAt: Temporal.Instant | null = null;

  const addEntry = (entry: LedgerEntry): void => {
    digests.set(entry.job, digests.get(entry.job) ?? entry.digest);
    if (entry.uidValidity === null || entry.uid === null) return;
    const { uidValidity, uid } = entry;
    highest.set(uidValidity, Math.max(uid, highest.get(uidValidity) ?? 0));
    if (unflagged.uidValidity !== uidValidity) unflagged = { uidValidity, uids: [] };
    if (FLAGGED.has(entry.outcome)) unflagged.uids.push(uid);
    // Mail that no job was made of, as spam, says nothing of when requests were last taken.
    if (entry.receivedAt === null || entry.digest === null) return;
    // A time that lies after the taking itself is wrong, and would hide all mail up to it.
    const receivedAt = earlier(Temporal.Instant.from(entry.receivedAt), Temporal.Instant.from(entry.at));
    if (lastReceivedAt === null || Temporal.Instant.compare(receivedAt, lastReceivedAt) > 0) {
      lastReceivedAt = receivedAt;
    }
  };

  return {
    add: (line) => {
      if (line.kind === 'entry') return addEntry(line);
      if (line.kind === 'flagged') {
        if (unflagged.uidValidity !== line.uidValidity) return;
        unflagged.uids = unflagged.uids.filter((uid) => uid > line.uid);
        return;
      }
      watermarks.set(line.uidValidity, Math.max(line.uid, watermarks.get(line.uidValidity) ?? 0));
      startedAt ??= Temporal.Instant.from(line.at);
    },
    find: (job) => {
      const digest = digests.get(job);
      return digest === undefined ? null : { digest };
    },
    watermark: (uidValidity) => {
      const base = watermarks.get(uidValidity);
      return base === undefined ? null : Math.max(base, highest.get(uidValidity) ?? 0);
    },
    startedAt: () => startedAt,
    lastReceivedAt: () => lastReceivedAt,
    unflagged: (uidValidity) => (unflagged.uidValidity === uidValidity ? [...unflagged.uids] : []),
  };
}

export function earlier(a: Temporal.Instant, b: Temporal.Instant): Temporal.Instant {
  return Temporal.Instant.compare(a, b) < 0 ? a : b;
}
