import { createHash } from 'node:crypto';
import { MAX_SUBJECT_LENGTH } from '../../protocol/job.ts';
import type { Access, AccessDecision } from '../access/access.ts';
import { type IncomingMail, readMessage } from '../mail/message.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { SetAside } from '../platform/set-aside.ts';
import type { NewJob } from '../queue/spool.ts';
import { idOf, type Refusal, refusalJob } from '../commands/answer-jobs.ts';
import type { Acceptance, Arrival, Grammar, Verdict } from './arrival.ts';
import { createDesk, type Desk, type DeskOptions } from './desk.ts';

export interface AcceptanceOptions extends DeskOptions {
  readonly access: Access;
  readonly grammar: Grammar;
  readonly setAside: SetAside;
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
      const known = arrival.meeting === 'new' ? null : options.ledger.find(mail.identity);
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

/** Opened by somebody while the node could not know the mail: it may have been dealt with by hand. */
async function doubt({ desk, arrival, mail, door }: Case): Promise<Verdict> {
  const details = { subject: door.subject, from: mail.fromText, receivedAt: arrival.receivedAt.toString() };
  await desk.tellAdmin('mail-in-doubt', mail.identity, details);
  const sentence = 'in doubt whether the mail was dealt with; the admin is told';
  return desk.conclude(arrival, mail.identity, 'in-doubt', sentence, details);
}

/** From a person on the list, through the door. */
function takeRequest(it: Case): Promise<Verdict> {
  const { options, mail, door } = it;
  const refusal = refusalOf(mail, door);
  if (it.arrival.truncated) {
    const limitBytes = options.maxBytes;
    return enter(it, refusalJob({ ...refusal, reason: 'too-large', limitBytes }), 'too-large', {
      limitBytes,
    });
  }
  const parsed = options.grammar.parse(door.subject);
  if (!parsed.ok) {
    const { faults, corrected } = parsed;
    const codes = faults.map(({ field, code }) => `${field}:${code}`);
    return enter(it, refusalJob({ ...refusal, reason: 'faults', faults, corrected }), 'refused', {
      faults: codes,
    });
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
  return enter(it, job, 'accepted', { command, source: parsed.source });
}

/** Puts the job of a mail into the spool. */
async function enter(
  { options, desk, arrival, mail }: Case,
  job: NewJob,
  outcome: 'accepted' | 'refused' | 'too-large',
  facts: Readonly<Record<string, unknown>>,
): Promise<Verdict> {
  const { subject } = job.request;
  const from = mail.from?.address ?? null;
  const known = options.ledger.find(job.id);
  const about = { from, subject, ...facts };
  try {
    const { job: kept } = await options.acceptor.accept(job);
    const digest = kept?.digest ?? known?.digest ?? null;
    const [said, sentence] =
      known === null
        ? ([outcome, `${outcome} ${job.request.command} of ${from}`] as const)
        : (['duplicate', `the mail of ${from} came again`] as const);
    return await desk.conclude(arrival, job.id, said, sentence, { digest, ...about });
  } catch (error) {
    if (codeOf(error) !== 'spool.conflict') throw error;
    await desk.tellAdmin('job-conflict', idOf(job.id, subject), {
      subject,
      from: mail.fromText,
      job: job.id,
    });
    return desk.conclude(arrival, job.id, 'conflict', 'the mail has the id of another request', about);
  }
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
