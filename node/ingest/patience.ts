import type { MailSummary } from '../mail/mailbox.ts';
import type { Clock } from '../platform/clock.ts';

/** A mail that cannot be read is given up after so many tries, spread over so long, and not before. */
const MIN_TRIES = 5;
const MIN_MS = 10 * 60_000;
/** Waits between tries in one session: doubling between these. */
const BASE_MS = 1_000;
const CAP_MS = 60_000;
/** Mails remembered at a time; the oldest is forgotten, and tried anew. */
const MAX_REMEMBERED = 1_000;

interface Trouble {
  tries: number;
  /** Of the first try; null before it. */
  sinceMs: number | null;
  /** Another mail could be read meanwhile: the server works, it is this mail. */
  alone: boolean;
}

/** What is known, across sessions, of mails that could not be read. */
export interface Patience {
  /** To be read alone: with others it failed, or ended the session. */
  suspects(uidValidity: string, uid: number): boolean;
  suspect(uidValidity: string, mails: readonly MailSummary[]): void;
  /** Counts a try that begins: one that ends the session is counted all the same. Gives their number. */
  begin(uidValidity: string, uid: number): number;
  /** Another mail was read while this one could not be. */
  blame(uidValidity: string, uid: number): void;
  /** Whether it is time to put the mail aside, so that the others go on. */
  isOver(uidValidity: string, uid: number): boolean;
  forget(uidValidity: string, uid: number): void;
}

export function createPatience(clock: Clock): Patience {
  const troubles = new Map<string, Trouble>();
  const get = (uidValidity: string, uid: number): Trouble => {
    const key = `${uidValidity} ${uid}`;
    const trouble = troubles.get(key) ?? { tries: 0, sinceMs: null, alone: false };
    troubles.set(key, trouble);
    const [oldest] = troubles.keys();
    if (troubles.size > MAX_REMEMBERED && oldest !== undefined) troubles.delete(oldest);
    return trouble;
  };
  return {
    suspects: (uidValidity, uid) => troubles.has(`${uidValidity} ${uid}`),
    suspect: (uidValidity, mails) => {
      for (const { uid } of mails) get(uidValidity, uid);
    },
    begin: (uidValidity, uid) => {
      const trouble = get(uidValidity, uid);
      trouble.sinceMs ??= clock.monotonicMs();
      trouble.tries += 1;
      return trouble.tries;
    },
    blame: (uidValidity, uid) => {
      get(uidValidity, uid).alone = true;
    },
    isOver: (uidValidity, uid) => {
      const { tries, sinceMs, alone } = get(uidValidity, uid);
      return alone && tries >= MIN_TRIES && sinceMs !== null && clock.monotonicMs() - sinceMs >= MIN_MS;
    },
    forget: (uidValidity, uid) => troubles.delete(`${uidValidity} ${uid}`),
  };
}

/** Milliseconds after this many tries in a row that failed. */
export function patienceMs(tries: number): number {
  return Math.min(CAP_MS, BASE_MS * 2 ** Math.min(tries - 1, 10));
}
