import { createHash } from 'node:crypto';
import type { Access } from '../access/access.ts';
import type { People } from '../access/people.ts';
import type { Permission } from '../commands/permission.ts';
import type { Quarantine } from '../access/quarantine.ts';
import type { SenderProof } from '../access/sender-proof.ts';
import { idOf, refusalJob } from '../commands/answer-jobs.ts';
import type { Fault } from '../commands/command.ts';
import { lowDiskFaults } from '../commands/low-disk.ts';
import { type IncomingMail, readMessage } from '../mail/message.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import { createKeyedMutex } from '../platform/mutex.ts';
import type { SpaceWatch } from '../platform/space.ts';
import type { SetAside } from '../platform/set-aside.ts';
import { digestOf } from '../queue/job-file.ts';
import type { NewJob } from '../queue/spool.ts';
import type { Acceptance, Arrival, Grammar, Verdict } from './arrival.ts';
import { createDesk, type Desk, type DeskOptions } from './desk.ts';
import type { DoubtStore } from './doubt-store.ts';
import { doubtNotice } from './doubts.ts';
import { type Admitted, createEntrance } from './entrance.ts';
import { refusalOf } from './refused.ts';
import { createStrangerQuota } from './stranger-quota.ts';

export interface AcceptanceOptions extends DeskOptions {
  readonly people: Pick<People, 'find' | 'allows'>;
  /** Who may ask for what. */
  readonly permission: Permission;
  readonly proof: SenderProof;
  readonly access: Access;
  /** Where mails go whose sender is not proved. */
  readonly quarantine: Pick<Quarantine, 'add' | 'list'>;
  readonly grammar: Grammar;
  readonly setAside: SetAside;
  /** What it has no room for is refused. */
  readonly space: Pick<SpaceWatch, 'look'>;
  /** Where the mails in doubt are kept for a person to decide on. */
  readonly doubts: DoubtStore;
  readonly clock: Clock;
  /** MAIL_MAX_BYTES: named in the answer to a mail that is larger. */
  readonly maxBytes: number;
}

/** A mail under decision, with what is needed to decide. */
interface Case extends Admitted {
  readonly options: AcceptanceOptions;
  readonly desk: Desk;
  readonly arrival: Arrival;
  readonly mail: IncomingMail;
}

export function createAcceptance(options: AcceptanceOptions): Acceptance {
  const desk = createDesk(options);
  const entrance = createEntrance({ ...options, desk, strangers: createStrangerQuota(options.clock) });
  const inTurn = createKeyedMutex();
  const giveUp = (arrival: Arrival, error: unknown): Promise<Verdict> =>
    setAside(options, desk, arrival, error);
  const decide = async (arrival: Arrival): Promise<Verdict> => {
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
    if (mail.automatic !== null) {
      const from = mail.from?.address ?? mail.fromText;
      const facts = { from, reason: mail.automatic, loopOf: mail.loopOf };
      const sentence = `automatic mail (${mail.automatic}) is not answered`;
      return desk.conclude(arrival, mail.identity, 'ignored', sentence, facts);
    }
    const admitted = await entrance.judge(arrival, mail);
    if ('outcome' in admitted) return admitted;
    const it: Case = { options, desk, arrival, mail, ...admitted };
    return arrival.meeting === 'again-seen' ? doubt(it) : enter(it, await inRoom(it, makeJob(it)));
  };

  // A mail out of quarantine comes beside those of the mailbox: what is good once is not to be found good by both.
  return { giveUp, decide: (arrival) => inTurn('decide', () => decide(arrival)) };
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
  const made = makeJob(it);
  if (made.outcome === 'accepted') await options.access.use(door, mail.identity);
  await options.doubts.add({ ...details, job: made.job });
  await desk.answerOnce(doubtNotice(mail.identity, details, options.doubts.count(), options.clock.now()));
  const sentence = 'in doubt whether the mail was dealt with; the admin is told';
  return desk.conclude(arrival, mail.identity, 'in-doubt', sentence, details);
}

function makeJob({ options, mail, door, arrival }: Case): Made {
  const refusal = refusalOf(mail, door.subject);
  if (arrival.truncated) {
    const limitBytes = options.maxBytes;
    const job = refusalJob({ ...refusal, reason: 'too-large', limitBytes });
    return { job, outcome: 'too-large', facts: { limitBytes } };
  }
  const refused = (faults: readonly Fault[], corrected: string | null): Made =>
    refusedFor(refusal, faults, corrected);
  const parsed = options.grammar.parse(door.subject);
  if (!parsed.ok) {
    // Who may not use a command learns nothing from its faults.
    const named = parsed.command === null ? [] : denials(options, refusal.requester, parsed.command);
    const told = options.permission.shownTo(refusal.requester, parsed);
    return named.length > 0 ? refused(named, null) : refused(told.faults, told.corrected);
  }
  const { command, params } = parsed;
  const denied = options.permission.faultsOf(refusal.requester, command, params);
  // Another subject would not help: what may be asked for is said by each fault.
  if (denied.length > 0) return refused(denied, null);
  const job: NewJob = {
    id: mail.identity,
    request: {
      command: command.keyword,
      params: { ...params } as NewJob['request']['params'],
      requester: refusal.requester,
      subject: refusal.subject,
      messageId: refusal.messageId,
      references: [...refusal.references],
    },
    door: 'mail',
    lane: parsed.lane,
    source: parsed.source,
  };
  return { job, outcome: 'accepted', facts: { command: command.keyword, source: parsed.source } };
}

/** What is made of a mail; and what may have been made of it before a crash, when there was more room on disk, or less. */
interface Choice {
  readonly first: Made;
  readonly other: Made | null;
}

/** Refuses what there is no room for; the corrected subject is the same, to be sent again later. */
async function inRoom({ options, mail, door }: Case, made: Made): Promise<Choice> {
  if (made.outcome !== 'accepted') return { first: made, other: null };
  const { request, lane } = made.job;
  const faults = lowDiskFaults(await options.space.look(), request.command, lane);
  const refusal = refusalOf(mail, door.subject);
  const other = refusedFor(refusal, faults, refusal.subject);
  return faults.length > 0 ? { first: other, other: made } : { first: made, other };
}

function refusedFor(
  refusal: ReturnType<typeof refusalOf>,
  faults: readonly Fault[],
  corrected: string | null,
): Made {
  const codes = faults.map(({ field, code }) => `${field}:${code}`);
  const job = refusalJob({ ...refusal, reason: 'faults', faults, corrected });
  return { job, outcome: 'refused', facts: { faults: codes } };
}

/** Why a person may not use a command, whatever they ask of it. */
function denials({ permission }: AcceptanceOptions, requester: string, keyword: string): readonly Fault[] {
  return permission.faultsOf(requester, { keyword }, {});
}

/** Puts the job of a mail into the spool. */
async function enter(it: Case, { first, other }: Choice): Promise<Verdict> {
  const { options, desk, arrival, mail, door } = it;
  const { job, outcome, facts } = first;
  const { subject } = job.request;
  const from = mail.from?.address ?? null;
  const known = options.known.mail(job.id);
  const about = { from, subject, ...it.facts, ...facts };
  const again = `the mail of ${from} came again`;
  const ofPeer = options.known.madeByPeer(job.id);
  // Its digest stays out of the own ledger: the job is not here, and a call that hands it over must not find it done.
  const digests = [first, ...(other === null ? [] : [other])].map((made) => digestOf(made.job.request));
  if (ofPeer !== null && digests.includes(ofPeer))
    return desk.conclude(arrival, job.id, 'duplicate', again, about);
  if (ofPeer !== null) return conflict(it, job, about);
  // Before the job is there: a token that is good once is never good for two, and still for this one after a crash.
  if (outcome === 'accepted') await options.access.use(door, job.id);
  try {
    const { job: kept } = await options.acceptor.accept(job);
    const digest = kept?.digest ?? known?.digest ?? null;
    const isNew = known?.digest == null;
    const said = isNew ? outcome : 'duplicate';
    const sentence = isNew ? `${outcome} ${job.request.command} of ${from}` : again;
    return await desk.conclude(arrival, job.id, said, sentence, { digest, ...about });
  } catch (error) {
    if (codeOf(error) !== 'spool.conflict') throw error;
    return other === null ? conflict(it, job, about) : enter(it, { first: other, other: null });
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
