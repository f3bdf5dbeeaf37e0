import type { AuditEntry } from '../audit/event.ts';
import type { Clock } from '../platform/clock.ts';

const DAY_MS = 86_400_000;
/** Of each limit so much is kept for digests: what is held back goes out all the same. */
const DIGEST_SHARE = 0.1;
/** Copies to the admin go out up to this part of the day's limit; the rest of it is for those who asked. */
const COPY_SHARE = 0.5;

/** What a mail is to whom it goes; copies are held back first, digests last. */
export type Share = 'copy' | 'answer' | 'digest';

/** A mail that has been counted. */
export interface Place {
  /** It did not go out. */
  giveBack(): void;
}

/** How many mails may go out: to one person, and in all, within any 24 hours. Each recipient of a mail counts. */
export interface ReplyBudget {
  /** Counts a mail to somebody; null where there is no room for one of this share. */
  take(address: string, share: Share): Place | null;
  /** When room may come about; now, where there is some. */
  freeAt(address: string, share: Share): Temporal.Instant;
  /** Of all, within the last 24 hours. */
  used(): number;
}

export interface ReplyBudgetOptions {
  /** REPLIES_PER_SENDER: answers and digests to one person; copies of answers to others are not counted. */
  readonly perSender: number;
  /** REPLIES_PER_DAY: recipients of all mails. */
  readonly perDay: number;
  readonly clock: Clock;
}

interface Counted extends Place {
  readonly address: string;
  readonly share: Share;
  /** By the monotonic clock: one that is set must not make a day longer or shorter. */
  readonly atMs: number;
  isBack: boolean;
}

/**
 * Counts what was sent in the last 24 hours by the audit log, so that nothing has to be written beside it: a mail is
 * in there before its step is done.
 */
export async function openReplyBudget(
  options: ReplyBudgetOptions & {
    readonly audit: { since(event: string, since: Temporal.Instant): AsyncIterable<AuditEntry> };
  },
): Promise<ReplyBudget> {
  const { audit, clock } = options;
  const now = clock.now();
  const sent: AuditEntry[] = [];
  for await (const entry of audit.since('mail.sent', now.subtract({ milliseconds: DAY_MS })))
    sent.push(entry);
  const nowMs = clock.monotonicMs();
  const counted = sent.toReversed().flatMap((entry) => {
    const agoMs = now.epochMilliseconds - Temporal.Instant.from(entry.at).epochMilliseconds;
    return recipientsOf(entry).map((one) => place(one.address, one.share, nowMs - Math.max(0, agoMs)));
  });
  return createReplyBudget(options, counted);
}

export function createReplyBudget(
  { perSender, perDay, clock }: ReplyBudgetOptions,
  earlier: readonly Counted[] = [],
): ReplyBudget {
  /** The oldest first. */
  let counted: Counted[] = [...earlier];
  const limits = {
    copy: { all: Math.floor(perDay * COPY_SHARE), one: Infinity },
    answer: { all: withoutDigests(perDay), one: withoutDigests(perSender) },
    digest: { all: perDay, one: perSender },
  } as const;

  const current = (): readonly Counted[] => {
    const startMs = clock.monotonicMs() - DAY_MS;
    const [oldest] = counted;
    if (oldest !== undefined && (oldest.atMs <= startMs || oldest.isBack)) {
      counted = counted.filter(({ atMs, isBack }) => atMs > startMs && !isBack);
    }
    return counted;
  };
  /** Those that fill a limit for a mail to somebody; null where there is room. */
  const filling = (address: string, share: Share): readonly Counted[] | null => {
    const limit = limits[share];
    const all = current().filter(({ isBack }) => !isBack);
    if (all.length >= limit.all) return all;
    if (limit.one === Infinity) return null;
    const to = address.toLowerCase();
    const theirs = all.filter((one) => one.address === to && one.share !== 'copy');
    return theirs.length >= limit.one ? theirs : null;
  };

  return {
    take: (address, share) => {
      if (filling(address, share) !== null) return null;
      const taken = place(address.toLowerCase(), share, clock.monotonicMs());
      counted.push(taken);
      return taken;
    },
    freeAt: (address, share) => {
      const [first] = filling(address, share) ?? [];
      const leftMs = first === undefined ? 0 : first.atMs + DAY_MS - clock.monotonicMs();
      return clock.now().add({ milliseconds: Math.max(0, Math.ceil(leftMs)) });
    },
    used: () => current().filter(({ isBack }) => !isBack).length,
  };
}

function withoutDigests(limit: number): number {
  return limit - Math.ceil(limit * DIGEST_SHARE);
}

function place(address: string, share: Share, atMs: number): Counted {
  const made: Counted = {
    ...{ address, share, atMs, isBack: false },
    giveBack: () => {
      made.isBack = true;
    },
  };
  return made;
}

/** To whom a mail went, as `mail.sent` tells it. */
function recipientsOf({ to, copies, kind }: AuditEntry): { address: string; share: Share }[] {
  const copied = new Set(addresses(copies));
  return addresses(to).map((address) => {
    const share = kind === 'digest' ? 'digest' : copied.has(address) ? 'copy' : 'answer';
    return { address, share };
  });
}

function addresses(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one === 'string').map((one) => one.toLowerCase());
}
