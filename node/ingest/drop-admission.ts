import { createHash } from 'node:crypto';
import * as z from 'zod';
import { legacyDocumentSchema } from '../../protocol/legacy.ts';
import type { Whitelist } from '../access/whitelist.ts';
import type { Audit } from '../audit.ts';
import { readLegacyRequest } from '../commands/legacy-request.ts';
import type { Registry } from '../commands/registry.ts';
import { AppError, codeOf } from '../platform/errors.ts';
import type { JobAcceptor, NewJob } from '../queue/spool.ts';
import { noticeJob, refusalJob } from '../commands/answer-jobs.ts';
import type { Ledger } from './ledger.ts';

/** The only command that old documents ask for. */
const LEGACY_COMMAND = 'RAMAIS';
/** The status under which an old node leaves a document to be worked. */
const OPEN_STATUS = 'pending';
const NOWHERE = { uidValidity: null, uid: null, receivedAt: null } as const;

export interface DropAdmissionOptions {
  readonly registry: Pick<Registry, 'get'>;
  readonly whitelist: Whitelist;
  readonly acceptor: JobAcceptor;
  readonly ledger: Ledger;
  readonly audit: Audit;
}

/**
 * Decides on the documents of old nodes that are dropped into `pending/`. They pass whitelist and limits again, as a
 * mail would: whoever can write a file there has not thereby become anybody. Resolves with a sentence when the job
 * is on disk. @throws AppError `drop.refused` where the file is to be moved aside; errors of the spool, to be tried
 * again
 */
export function createDropAdmission(options: DropAdmissionOptions) {
  const { registry, whitelist, ledger, audit } = options;

  async function take(job: NewJob, event: string): Promise<'accepted' | 'duplicate'> {
    const { kind, job: kept } = await accept(options.acceptor, job);
    if (ledger.find(job.id) === null) {
      const { requester, subject, command } = job.request;
      await audit.record({ event, job: job.id, from: requester, subject, command });
      const outcome = event === 'drop.accepted' ? 'accepted' : 'refused';
      await ledger.append({ job: job.id, digest: kept?.digest ?? null, ...NOWHERE, outcome });
    }
    return kind;
  }

  return async (content: Buffer, document: unknown): Promise<string> => {
    const id = createHash('sha256').update(content).digest('hex');
    const parsed = legacyDocumentSchema.safeParse(document);
    if (!parsed.success) {
      throw new AppError(
        'drop.refused',
        `not a queue document: ${z.prettifyError(parsed.error).slice(0, 500)}`,
      );
    }
    if (parsed.data.status !== OPEN_STATUS) {
      throw new AppError(
        'drop.refused',
        `its status is ${JSON.stringify(parsed.data.status.slice(0, 50))}, not pending`,
      );
    }
    const { fields, subject, requester, sender } = readLegacyRequest(parsed.data);
    if (requester === null || sender === null || ![requester, sender].every(whitelist.allows)) {
      const { from_email: by, parameters } = parsed.data;
      const named = [sender ?? by, requester ?? parameters.email ?? by];
      const from = [...new Set(named)].filter((address) => !whitelist.allows(address)).join(', ');
      await take(noticeJob('drop-set-aside', id, { subject, from, reason: 'not-allowed' }), 'drop.refused');
      throw new AppError('drop.refused', `not on the whitelist: ${JSON.stringify(from)}`);
    }
    const mail = { id, requester, subject, messageId: null, references: [] };
    const ramais = registry.get(LEGACY_COMMAND);
    if (ramais === undefined) throw new AppError('drop.refused', `this node knows no ${LEGACY_COMMAND}`);
    const request = ramais.parse(fields);
    if (!request.ok) {
      const { faults, corrected } = request;
      await take(refusalJob({ ...mail, reason: 'faults', faults, corrected }), 'drop.refused');
      return `refused ${faults.map(({ field, code }) => `${field} ${code}`).join(', ')}; ${requester} is told`;
    }
    const { lane, source } = ramais.route(request.params);
    const { params } = request;
    const kind = await take(
      {
        id,
        door: 'drop',
        lane,
        source,
        request: {
          command: ramais.keyword,
          params: structuredClone(params) as never,
          requester,
          subject,
          messageId: null,
          references: [],
        },
      },
      'drop.accepted',
    );
    return `${kind} ${parsed.data.request_id} of ${requester}`;
  };
}

/** What will never be accepted is to be moved aside: tried again, it would stop nothing but say so for ever. */
async function accept(acceptor: JobAcceptor, job: NewJob): ReturnType<JobAcceptor['accept']> {
  try {
    return await acceptor.accept(job);
  } catch (error) {
    if (codeOf(error) !== 'spool.conflict') throw error;
    throw new AppError('drop.refused', 'its content was accepted before as another request', {
      cause: error,
    });
  }
}
