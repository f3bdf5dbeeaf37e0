import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { SourceName } from '../../protocol/job.ts';
import { type LegacyDocument, legacyDocumentSchema } from '../../protocol/legacy.ts';
import type { Permission } from '../commands/permission.ts';
import type { Audit } from '../audit.ts';
import { idOf, noticeJob, refusalJob } from '../commands/answer-jobs.ts';
import type { Command, Fault } from '../commands/command.ts';
import { LEGACY_COMMAND, type LegacyRequest, readLegacyRequest } from '../commands/legacy-request.ts';
import { lowDiskFaults } from '../commands/low-disk.ts';
import type { Registry } from '../commands/registry.ts';
import type { DropDocuments, HandedOver } from '../forward/drop-document.ts';
import { handedOver } from '../forward/forward-origin.ts';
import { AppError, codeOf, messageOf } from '../platform/errors.ts';
import type { SpaceWatch } from '../platform/space.ts';
import type { JobAcceptor, NewJob, Spool } from '../queue/spool.ts';
import { saysNoMore } from './drop-coverage.ts';
import { type Ledger, NOWHERE } from './ledger.ts';

/** The status under which an old node leaves a document to be worked. */
const OPEN_STATUS = 'pending';
/** The field that the peer adds to the old document. */
const PEER_FIELD = 'parelha';

/** Why a file is moved aside: as the log says it, and the reason in words for the admin (`replies/notice-details.ts`). */
const REASON = {
  unproved: {
    said: 'not proved to be the peer’s',
    told: 'drop-unproved',
  },
  more: {
    said: 'it asks for more than its old fields say',
    told: 'drop-asks-more',
  },
  elsewhere: {
    said: 'this node does not serve its source, and does not hand it on',
    told: 'drop-elsewhere',
  },
} as const;
type Reason = keyof typeof REASON;

export interface DropAdmissionOptions {
  readonly registry: Pick<Registry, 'get'>;
  /** Both who is named as sender and who is to be answered are judged by it. */
  readonly permission: Permission;
  readonly acceptor: JobAcceptor;
  readonly spool: Pick<Spool, 'stateOf'>;
  /** This node's own. */
  readonly ledger: Pick<Ledger, 'accepted' | 'append'>;
  readonly audit: Audit;
  /** What it has no room for is refused. */
  readonly space: Pick<SpaceWatch, 'look'>;
  /** The sources that this node serves. */
  readonly sources: { has(name: SourceName): boolean };
  /** Proves files of the peer; null for a node alone. */
  readonly documents: Pick<DropDocuments, 'verify'> | null;
  /** Whether a file that anybody may have dropped can go on to the peer: not to one that could drop it here again. */
  readonly forwards: boolean;
}

/** A document under decision. */
interface Case {
  readonly options: DropAdmissionOptions;
  /** Of the job that is made of it. */
  readonly id: string;
  readonly document: LegacyDocument;
  readonly old: LegacyRequest;
  readonly command: Command;
  /** What the peer hands over with it; null where it is an old node's, or anybody's. */
  readonly handed: HandedOver | null;
}

/**
 * Decides on the documents that are dropped into `pending/`: those of old nodes, and those by which the peer hands a
 * job over. They pass whitelist and limits again, as a mail would: whoever can write a file there has not thereby
 * become anybody. Resolves with a sentence when the job is on disk. @throws AppError `drop.refused` where the file is
 * to be moved aside; errors of the spool, to be tried again
 */
export function createDropAdmission(options: DropAdmissionOptions) {
  return async (content: Buffer, document: unknown): Promise<string> => {
    const parsed = legacyDocumentSchema.safeParse(document);
    if (!parsed.success) {
      throw refused(`not a queue document: ${z.prettifyError(parsed.error).slice(0, 500)}`);
    }
    const { status } = parsed.data;
    if (status !== OPEN_STATUS)
      throw refused(`its status is ${JSON.stringify(status.slice(0, 50))}, not pending`);
    const command = options.registry.get(LEGACY_COMMAND);
    if (command === undefined) throw refused(`this node knows no ${LEGACY_COMMAND}`);
    const old = readLegacyRequest(parsed.data);
    const contentId = createHash('sha256').update(content).digest('hex');
    const handed = await provedPart(options, parsed.data, old, contentId);
    return admit({ options, id: handed?.id ?? contentId, document: parsed.data, old, command, handed });
  };
}

/** What the peer adds to a document; null where nothing is added. What is not proved is never taken as a new request. */
async function provedPart(
  options: DropAdmissionOptions,
  document: LegacyDocument,
  old: LegacyRequest,
  contentId: string,
): Promise<HandedOver | null> {
  if (document[PEER_FIELD] === undefined) return null;
  try {
    if (options.documents === null) throw new AppError('drop.unproved', 'this node has no peer');
    return await options.documents.verify(document[PEER_FIELD]);
  } catch (error) {
    if (codeOf(error) !== 'drop.unproved') throw error;
    const details = { subject: old.subject, from: old.sender ?? '', reason: REASON.unproved.told };
    await take(options, noticeJob('drop-refused', contentId, details), 'drop.refused');
    throw refused(messageOf(error), error);
  }
}

async function admit(it: Case): Promise<string> {
  const { options, old, command, document, handed } = it;
  const { fields, subject, requester, sender } = old;
  const { permission } = options;
  if (requester === null || sender === null || ![requester, sender].every(permission.allows)) {
    const { from_email: by, parameters } = document;
    const named = [sender ?? by, requester ?? parameters.email ?? by];
    const from = [...new Set(named)].filter((address) => !permission.allows(address)).join(', ');
    const details = { subject, from, reason: 'not-allowed' };
    await take(options, noticeJob('drop-set-aside', it.id, details), 'drop.refused');
    throw refused(`not on the whitelist: ${JSON.stringify(from)}`);
  }
  const request = command.parse(fields);
  const faults = request.ok ? notPermitted(it, [requester, sender], request.params) : request.faults;
  if (!request.ok || faults.length > 0) {
    const told = permission.shownTo(requester, { faults, corrected: request.ok ? null : request.corrected });
    return refuse(it, requester, told, faults);
  }
  const job = handed === null ? newJob(it, request.params) : jobOf(it, handed, request.params);
  if (typeof job === 'string') {
    const details = { subject, from: sender, reason: REASON[job].told };
    await take(options, noticeJob('drop-refused', it.id, details), 'drop.refused');
    throw refused(REASON[job].said);
  }
  // Taken from the peer by a call, or by this very file, and kept out of the ledger by a crash or a full disk.
  const isTaken = handed !== null && options.spool.stateOf(job.id) !== undefined;
  const isNew = !isTaken && options.ledger.accepted(job.id) === null;
  const low = isNew ? lowDiskFaults(await options.space.look(), command.keyword, job.lane) : [];
  if (low.length > 0) return refuse(it, requester, { faults: low, corrected: subject }, low);
  const kind = await take(options, job, 'drop.accepted');
  const by = handed === null ? '' : `, handed over by ${handed.peerId}`;
  return `${kind} ${document.request_id} of ${requester}${by}`;
}

/** Tells the requester what is wrong, as far as they may know that. A sentence that names all `faults`. */
async function refuse(
  { options, id, old, handed }: Case,
  requester: string,
  told: { readonly faults: readonly Fault[]; readonly corrected: string | null },
  faults: readonly Fault[],
): Promise<string> {
  // Under an id of its own: the peer may yet hand the same job over by a call, and is to be told that it is refused.
  const own = handed === null ? id : idOf('drop-refused', id);
  const mail = { id: own, requester, subject: old.subject, messageId: null, references: [] };
  await take(options, refusalJob({ ...mail, reason: 'faults', ...told }), 'drop.refused');
  return `refused ${faults.map(({ field, code }) => `${field} ${code}`).join(', ')}; ${requester} is told`;
}

/** Why one of these people may not have this asked for; each fault once. */
function notPermitted(
  { options, command }: Case,
  addresses: readonly string[],
  params: Parameters<Command['route']>[0],
): readonly Fault[] {
  const faults = [...new Set(addresses)].flatMap((address) =>
    options.permission.faultsOf(address, command, params),
  );
  return [...new Map(faults.map((fault) => [JSON.stringify(fault), fault])).values()];
}

/** The job of a document that an old node, or anybody, has dropped; a reason where it is not for this node. */
function newJob(
  { options, id, command, old }: Case,
  params: Readonly<Record<string, unknown>>,
): NewJob | Reason {
  const { lane, source } = command.route(params as never);
  if (lane === 'forward' && !options.forwards) return 'elsewhere';
  const { requester, subject } = old;
  const request = { requester, subject, messageId: null, references: [] };
  const { keyword } = command;
  return {
    id,
    door: 'drop',
    lane,
    source,
    request: { ...request, command: keyword, params: structuredClone(params) as never },
  };
}

/** The job that the peer hands over; a reason where its request is more than what has been judged, or not for this node. */
function jobOf(
  { options, id, command, old }: Case,
  handed: HandedOver,
  judged: Readonly<Record<string, unknown>>,
): NewJob | Reason {
  const { request, source, peerId } = handed;
  const isSame =
    request.command === command.keyword &&
    request.requester === old.requester &&
    old.requester === old.sender;
  if (!isSame || !saysNoMore({ params: request.params, source }, judged)) return 'more';
  if (!options.sources.has(source)) return 'elsewhere';
  return { id, door: 'drop', lane: 'recordings', source, request, details: handedOver(peerId) };
}

async function take(
  { acceptor, ledger, audit }: DropAdmissionOptions,
  job: NewJob,
  event: 'drop.accepted' | 'drop.refused',
): Promise<'accepted' | 'duplicate'> {
  const { kind, job: kept } = await accept(acceptor, job);
  if (ledger.accepted(job.id) === null) {
    const { requester, subject, command } = job.request;
    await audit.record({ event, job: job.id, from: requester, subject, command });
    const outcome = event === 'drop.accepted' ? 'accepted' : 'refused';
    await ledger.append({ job: job.id, digest: kept?.digest ?? null, ...NOWHERE, outcome });
  }
  return kind;
}

/** What will never be accepted is to be moved aside: tried again, it would stop nothing but say so for ever. */
async function accept(acceptor: JobAcceptor, job: NewJob): ReturnType<JobAcceptor['accept']> {
  try {
    return await acceptor.accept(job);
  } catch (error) {
    if (codeOf(error) !== 'spool.conflict') throw error;
    throw refused('its content was accepted before as another request', error);
  }
}

function refused(why: string, cause?: unknown): AppError {
  return new AppError('drop.refused', why, { cause });
}
