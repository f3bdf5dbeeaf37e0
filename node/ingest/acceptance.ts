import { createHash } from 'node:crypto';
import { MAX_SUBJECT_LENGTH } from '../../protocol/job.ts';
import type { Access, AccessDecision } from '../access/access.ts';
import { idOf, type Refusal, refusalJob } from '../commands/answer-jobs.ts';
import { type IncomingMail, readMessage } from '../mail/message.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { SetAside } from '../platform/set-aside.ts';
import { digestOf } from '../queue/job-file.ts';
import type { NewJob } from '../queue/spool.ts';
import type { Acceptance, Arrival, Grammar, Verdict } from './arrival.ts';
import { createDesk, type Desk, type DeskOptions } from './desk.ts';
import type { DoubtStore } from './doubt-store.ts';
import { doubtNotice } from './doubts.ts';

export interface AcceptanceOptions extends DeskOptions {
  readonly access: Access;
  readonly grammar: Grammar;
  readonly setAside: SetAside;
  /** Where the mails in doubt are kept for a person to decide on. */
  readonly doubts: DoubtStore;
  readonly clock: Clock;
  /** MAIL_MAX_BYTES: named in the answer to a mail that is larger. */
  readonly maxBytes: number;
}

/** A mail under decision, with what is needed to decide. */
interface Case {
  readonly options: AcceptanceOptions;
  readonly desk: Desk;
  readonly arrival: Arrival;
  readonly mail: IncomingMail;
  readonly door: AccessDecision;
}

export function createAcceptance(options: AcceptanceOptions): Acceptance {
  const desk = createDesk(options);
  const giveUp = (arrival: Arrival, error: unknown): Promise<Verdict> =>
    setAside(options, desk, arrival, error);

  return {
    giveUp,
    decide: async (arrival) => {
      let mail: IncomingMail;
      try {
        mail = await readMessage(arrival.raw);
      } catch (error) {
        if (codeOf(error) !== 'mail.unparsable') throw error;
        return giveUp(arrival, error);
      }
      const known = arrival.meeting === 'new' ? null : options.known.mail(mail.identity);
      if (known !== null) {
        const sentence = 'the mail is in the ledger';
        // A copy, or one that lost its flag: it is recorded, to be marked as read where a job answers it.
        return known.digest !== null && arrival.meeting === 'again-unseen'
          ? desk.conclude(arrival, mail.identity, 'duplicate', sentence)
          : { outcome: 'duplicate', sentence };
      }
      const from = mail.from?.address ?? null;
      if (mail.automatic !== null) {
        const facts = { from: from ?? mail.fromText, reason: mail.automatic, loopOf: mail.loopOf };
        const sentence = `automatic mail (${mail.automatic}) is not answered`;
        return desk.conclude(arrival, mail.identity, 'ignored', sentence, facts);
      }
      const door = await options.access.decide(from, mail.subject);
      const it: Case = { options, desk, arrival, mail, door };
      if (!door.allowed) return refuseAtDoor(it);
      return arrival.meeting === 'again-seen' ? doubt(it) : takeRequest(it);
    },
  };
}

async function refuseAtDoor({ options, desk, arrival, mail, door }: Case): Promise<Verdict> {
  const from = mail.from?.address ?? null;
  const facts = { from: from ?? mail.fromText, subject: door.subject, reason: door.reason };
  if (from === null || door.reason === 'not-allowed' || door.reason === null) {
    return desk.conclude(arrival, mail.identity, 'not-allowed', 'the sender is not on the whitelist', facts);
  }
  // Anyone can write this address into a From line: at most one polite answer a day.
  const id = idOf('bad-token', from, options.clock.now().toString().slice(0, 10));
  const answered = await desk.answerOnce(refusalJob({ ...refusalOf(mail, door), id, reason: door.reason }));
  const sentence = `${door.reason} from ${from}, ${answered ? 'answered' : 'answered before today'}`;
  return desk.conclude(arrival, mail.identity, 'bad-token', sentence, { ...facts, answered });
}

/** What is made of a mail, and how that is called. */
interface Made {
  readonly job: NewJob;
  readonly outcome: 'accepted' | 'refused' | 'too-large';
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Opened by somebody while the node could not know the mail: it may have been dealt with by hand, or elsewhere. */
async function doubt(it: Case): Promise<Verdict> {
  const { options, desk, arrival, mail, door } = it;
  const details = { subject: door.subject, from: mail.fromText, receivedAt: arrival.receivedAt.toString() };
  await options.doubts.add({ ...details, job: makeJob(it).job });
  await desk.answerOnce(doubtNotice(mail.identity, details, options.doubts.count(), options.clock.now()));
  const sentence = 'in doubt whether the mail was dealt with; the admin is told';
  return desk.conclude(arrival, mail.identity, 'in-doubt', sentence, details);
}

/** From a person on the list, through the door. */
function takeRequest(it: Case): Promise<Verdict> {
  return enter(it, makeJob(it));
}

function makeJob({ options, mail, door, arrival }: Case): Made {
  const refusal = refusalOf(mail, door);
  if (arrival.truncated) {
    const limitBytes = options.maxBytes;
    const job = refusalJob({ ...refusal, reason: 'too-large', limitBytes });
    return { job, outcome: 'too-large', facts: { limitBytes } };
  }
  const parsed = options.grammar.parse(door.subject);
  if (!parsed.ok) {
    const { faults, corrected } = parsed;
    const codes = faults.map(({ field, code }) => `${field}:${code}`);
    const job = refusalJob({ ...refusal, reason: 'faults', faults, corrected });
    return { job, outcome: 'refused', facts: { faults: codes } };
  }
  const command = parsed.command.keyword;
  const job: NewJob = {
    id: mail.identity,
    request: {
      command,
      params: { ...parsed.params } as NewJob['request']['params'],
      requester: refusal.requester,
      subject: refusal.subject,
      messageId: refusal.messageId,
      references: [...refusal.references],
    },
    door: 'mail',
    lane: parsed.lane,
    source: parsed.source,
  };
  return { job, outcome: 'accepted', facts: { command, source: parsed.source } };
}

/** Puts the job of a mail into the spool. */
async function enter(it: Case, { job, outcome, facts }: Made): Promise<Verdict> {
  const { options, desk, arrival, mail } = it;
  const { subject } = job.request;
  const from = mail.from?.address ?? null;
  const known = options.known.mail(job.id);
  const about = { from, subject, ...facts };
  const again = `the mail of ${from} came again`;
  const ofPeer = options.known.madeByPeer(job.id);
  // Its digest stays out of the own ledger: the job is not here, and a call that hands it over must not find it done.
  if (ofPeer === digestOf(job.request)) return desk.conclude(arrival, job.id, 'duplicate', again, about);
  if (ofPeer !== null) return conflict(it, job, about);
  try {
    const { job: kept } = await options.acceptor.accept(job);
    const digest = kept?.digest ?? known?.digest ?? null;
    const isNew = known?.digest == null;
    const said = isNew ? outcome : 'duplicate';
    const sentence = isNew ? `${outcome} ${job.request.command} of ${from}` : again;
    return await desk.conclude(arrival, job.id, said, sentence, { digest, ...about });
  } catch (error) {
    if (codeOf(error) !== 'spool.conflict') throw error;
    return conflict(it, job, about);
  }
}

async function conflict(
  { desk, arrival, mail }: Case,
  { id, request: { subject } }: NewJob,
  about: Readonly<Record<string, unknown>>,
): Promise<Verdict> {
  await desk.tellAdmin('job-conflict', idOf(id, subject), { subject, from: mail.fromText, job: id });
  return desk.conclude(arrival, id, 'conflict', 'the mail has the id of another request', about);
}

async function setAside(
  { setAside: store, access }: AcceptanceOptions,
  desk: Desk,
  arrival: Arrival,
  error: unknown,
): Promise<Verdict> {
  const { raw, uidValidity, uid } = arrival;
  const id =
    raw.length > 0
      ? createHash('sha256').update(raw).digest('hex')
      : idOf('unreadable', uidValidity, String(uid));
  const reason = `${codeOf(error)}: ${messageOf(error)}`;
  // It is kept for somebody to look at, octet for octet but for what opens the door.
  const kept = Buffer.from(await access.conceal(raw.toString('latin1')), 'latin1');
  const file = await store.bytes(`${id}.eml`, kept, reason);
  const receivedAt = arrival.receivedAt.toString();
  await desk.tellAdmin('mail-set-aside', id, { file, reason: codeOf(error), receivedAt });
  return desk.conclude(arrival, id, 'set-aside', `the mail was set aside: ${reason}`, { file, reason });
}

/** What a refusal of this mail has in common with any other. */
function refusalOf(mail: IncomingMail, door: AccessDecision): Omit<Refusal, 'reason'> {
  return {
    id: mail.identity,
    requester: mail.from?.address ?? '',
    subject: door.subject.slice(0, MAX_SUBJECT_LENGTH).toWellFormed(),
    messageId: mail.messageId,
    references: mail.references,
  };
}
