import type { Access, AccessDecision } from '../access/access.ts';
import { claimedSenders } from '../access/one-author.ts';
import type { People, Person } from '../access/people.ts';
import type { Quarantine } from '../access/quarantine.ts';
import type { Proof, SenderProof } from '../access/sender-proof.ts';
import { idOf, refusalJob, type RefusalReason } from '../commands/answer-jobs.ts';
import type { IncomingMail } from '../mail/message.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import { inTime } from '../platform/in-time.ts';
import type { Arrival, Grammar, Verdict } from './arrival.ts';
import type { Desk } from './desk.ts';
import { quarantineNotice } from './quarantined.ts';
import { refusalOf } from './refused.ts';
import type { StrangerQuota } from './stranger-quota.ts';

/** Days as `2026-03-02`. */
const DAY_DIGITS = 10;
const MAX_SHOWN = 500;
/** So long a stranger may take to be proved. */
const STRANGER_MS = 3_000;
const RELEASED: Proof = { proved: true, how: 'released', domain: '' };

export interface EntranceOptions {
  readonly people: Pick<People, 'find' | 'allows'>;
  readonly proof: SenderProof;
  readonly access: Access;
  readonly quarantine: Pick<Quarantine, 'add' | 'list'>;
  readonly strangers: StrangerQuota;
  readonly grammar: Grammar;
  readonly desk: Desk;
  readonly clock: Clock;
}

/** Somebody who may ask for something, is proved to be who they say, and has the key. */
export interface Admitted {
  readonly person: Person;
  readonly door: AccessDecision;
  /** For the audit log: how the sender was proved, and by which rule they are let in. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What is decided of a mail before anybody asks what it wants. */
export interface Entrance {
  /**
   * Whom the mail is from, whether that is proved, and whether it has a token: in this order, so that nobody learns
   * of one who has not passed the one before, and no forged mail counts as a try at a token.
   * @throws AppError `access.dns` (retriable), `access.unwritable` (retriable)
   */
  judge(arrival: Arrival, mail: IncomingMail): Promise<Admitted | Verdict>;
}

export function createEntrance(options: EntranceOptions): Entrance {
  return {
    judge: async (arrival, mail) => {
      const person = mail.from === null ? null : options.people.find(mail.from.address);
      if (mail.from === null || person === null) return meetStranger(options, arrival, mail);
      const proof = await proofOf(options, arrival, mail);
      if (!proof.proved) return putInQuarantine(options, arrival, mail, proof);
      const door = await options.access.decide(mail.from.address, mail.subject, mail.identity);
      const facts = { proof, rule: ruleOf(person, door) };
      if (!door.allowed) return refuse(options, arrival, mail, door, facts);
      return { person, door, facts };
    },
  };
}

/** By which rule somebody is let in, or would be: the entry that names them, and what opened the door. */
function ruleOf({ address, role, added }: Person, { token, reason }: AccessDecision) {
  return { person: address, role, by: added?.by ?? 'config', token: token ?? reason ?? 'none' };
}

function proofOf({ proof }: EntranceOptions, arrival: Arrival, mail: IncomingMail): Promise<Proof> {
  return arrival.released === true
    ? Promise.resolve(RELEASED)
    : proof.prove(arrival.raw, mail, arrival.truncated);
}

/**
 * Not on the list. Where that is proved and the mail asks for something, the sender is told so, once a day: what is
 * forged is never answered, or its victim would get the answer. One that may want to pass for somebody on the list
 * goes into quarantine.
 */
async function meetStranger(
  options: EntranceOptions,
  arrival: Arrival,
  mail: IncomingMail,
): Promise<Verdict> {
  const { access, people, desk, grammar } = options;
  const subject = await access.cut(mail.subject);
  const from = mail.from?.address ?? null;
  const isClaimed = from === null && claimedSenders(arrival.raw).some(people.allows);
  const parsed = grammar.parse(subject);
  const asks = parsed.ok || parsed.command !== null;
  const facts = { from: from ?? mail.fromText, subject, reason: 'not-allowed' };
  const sentence = 'the sender is not on the whitelist';
  if (!isClaimed && !asks) return desk.conclude(arrival, mail.identity, 'not-allowed', sentence, facts);
  const proof = await proofOrDoubt(options, arrival, mail);
  if (!proof.proved && isClaimed) return putInQuarantine(options, arrival, mail, proof);
  const isProved = proof.proved && proof.how !== 'off' && proof.how !== 'released';
  const answered = isProved && from !== null && (await answerStranger(options, mail, from, subject));
  const told = { ...facts, proof, answered };
  return desk.conclude(
    arrival,
    mail.identity,
    'not-allowed',
    sentence + (answered ? ', and told so' : ''),
    told,
  );
}

/** Nobody waits for the DNS of a stranger: a slow one would hold up all that come after. */
async function proofOrDoubt(options: EntranceOptions, arrival: Arrival, mail: IncomingMail): Promise<Proof> {
  try {
    const proof = await inTime(options.clock, STRANGER_MS, proofOf(options, arrival, mail));
    return proof ?? { proved: false, reason: 'dns', detail: 'the DNS of a stranger is not waited for' };
  } catch (error) {
    if (codeOf(error) !== 'access.dns') throw error;
    return { proved: false, reason: 'dns', detail: messageOf(error) };
  }
}

async function answerStranger(
  { desk, clock, strangers }: EntranceOptions,
  mail: IncomingMail,
  from: string,
  subject: string,
): Promise<boolean> {
  if (!strangers.mayAnswer(from)) return false;
  const id = idOf('not-allowed', from, dayOf(clock));
  return desk.answerOnce(refusalJob({ ...refusalOf(mail, subject), id, reason: 'not-allowed' }));
}

/** The admin is told, and not the sender: who that is, nobody knows. */
async function putInQuarantine(
  { access, quarantine, desk, clock }: EntranceOptions,
  arrival: Arrival,
  mail: IncomingMail,
  proof: Exclude<Proof, { proved: true }>,
): Promise<Verdict> {
  const { reason, detail } = proof;
  const subject = (await access.cut(mail.subject)).slice(0, MAX_SHOWN).toWellFormed();
  const { truncated } = arrival;
  const { fromText, identity } = mail;
  const from = mail.from?.address ?? null;
  const receivedAt = arrival.receivedAt.toString();
  const about = { receivedAt, identity, from, fromText, subject, reason, detail, truncated };
  const kept = await quarantine.add(about, arrival.raw);
  await desk.answerOnce(quarantineNotice(kept, quarantine.list().length, clock.now()));
  const facts = { event: 'mail.quarantined', from: from ?? fromText, subject, reason, proof, mail: kept.id };
  const sentence = `a mail of ${from ?? fromText} is in quarantine: ${reason}, ${detail}`;
  return desk.conclude(arrival, identity, 'set-aside', sentence, facts);
}

/** Proved, on the list, and without a good token. */
async function refuse(
  { desk, clock }: EntranceOptions,
  arrival: Arrival,
  mail: IncomingMail,
  { reason, subject, lock }: AccessDecision,
  facts: Admitted['facts'],
): Promise<Verdict> {
  const from = mail.from?.address ?? '';
  const why: RefusalReason = reason ?? 'not-allowed';
  if (lock !== null) {
    const { who, since, until } = lock;
    const clear = `node-ctl lockout clear ${who === '*' ? '--everybody' : asWord(who)}`;
    await desk.tellAdmin('locked-out', `${who} ${since}`, { from: who, until, clear });
  }
  // At most one polite answer a day: where SENDER_AUTH is off, anyone can write this address into a From line.
  const kind = why === 'locked-out' ? why : 'bad-token';
  const id = idOf(kind, from, dayOf(clock));
  const answered = await desk.answerOnce(refusalJob({ ...refusalOf(mail, subject), id, reason: why }));
  const sentence = `${why} from ${from}, ${answered ? 'answered' : 'answered before today'}`;
  return desk.conclude(arrival, mail.identity, 'bad-token', sentence, {
    ...{ from, subject, reason: why, ...facts, answered },
    ...(lock === null ? {} : { lockedUntil: lock.until }),
  });
}

/** An address as one word of a command that somebody copies into a shell: its local part may be any text. */
function asWord(address: string): string {
  return /^[\w.@+-]+$/.test(address) ? address : `'${address.replaceAll("'", String.raw`'\''`)}'`;
}

function dayOf(clock: Clock): string {
  return clock.now().toString().slice(0, DAY_DIGITS);
}
