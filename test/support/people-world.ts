import type { Job } from '../../protocol/job.ts';
import type { PeerStatus } from '../../protocol/messages.ts';
import type { RpcHandlers } from '../../protocol/methods.ts';
import type { ChangeablePeople } from '../../node/access/people.ts';
import { createPermission } from '../../node/commands/permission.ts';
import { createAskedJobs, ownAsked } from '../../node/commands/asked-jobs.ts';
import { createCancel } from '../../node/commands/cancel.ts';
import type { Ending, Waiting } from '../../node/commands/command.ts';
import { createHelp } from '../../node/commands/help.ts';
import { createQueueCommand } from '../../node/commands/queue-command.ts';
import { createRamaisGrammar } from '../../node/commands/ramais-grammar.ts';
import { createRegistry, type Registry } from '../../node/commands/registry.ts';
import { createResend } from '../../node/commands/resend.ts';
import { createStatusCommand } from '../../node/commands/status.ts';
import { createWhitelistGrammar } from '../../node/commands/whitelist-grammar.ts';
import { createWhitelistCommand } from '../../node/commands/whitelist.ts';
import type { Answers, AnswerKind } from '../../node/mail/answers.ts';
import { AppError } from '../../node/platform/errors.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createContextFactory } from '../../node/queue/context.ts';
import type { NewJob, Spool } from '../../node/queue/spool.ts';
import type { ReplyMail } from '../../node/replies/views.ts';
import { OPTIONS, ramais } from '../unit/commands/grammar-support.ts';
import type { FixedClock } from './fixed-clock.ts';
import { openTestSpool, pausingClock } from './forward-world.ts';
import { newJob } from './jobs.ts';
import { createMemoryAudit, type MemoryAudit } from './memory-audit.ts';
import { memoryPeople, ROLE_COMMANDS } from './memory-access-store.ts';
import { createMemoryPeer, type MemoryPeer } from './memory-peer.ts';
import { temporaryDirectory } from './process.ts';

const TIME_ZONE = 'America/Sao_Paulo';
export const ADMIN = 'admin@example.com';
export const MARIA = 'maria@example.com';
export const BIA = 'bia@example.com';

/** How a node is that has nothing to do. */
export const OWN_STATUS: PeerStatus = {
  ...{ nodeId: 'audio', version: '0.4.0', protocol: 2, role: 'master', term: 3 },
  ...{ since: '2026-03-01T12:00:00Z', now: '2026-03-02T12:00:00Z', uptimeSeconds: 60, mailbox: null },
  queue: {
    paused: false,
    lanes: [
      { lane: 'recordings', pending: 2, processing: 1 },
      { lane: 'replies', pending: 0, processing: 1 },
    ],
    completed: 5,
    failed: 0,
  },
  sources: ['audio'],
  warnings: ['the disk is nearly full'],
};

/** A node with the commands about people and requests, and a peer of which the spool alone is there. */
export interface PeopleWorld extends AsyncDisposable {
  readonly clock: FixedClock;
  readonly people: ChangeablePeople;
  readonly spool: Spool;
  readonly peerSpool: Spool;
  readonly peer: MemoryPeer;
  readonly audit: MemoryAudit;
  readonly registry: Registry;
  readonly mails: { readonly kind: AnswerKind; readonly job: string; readonly mail: ReplyMail }[];
  /** Jobs that were cancelled here, by the worker, with whether their requester was told. */
  readonly cancelled: { readonly id: string; readonly told: boolean }[];
  /** Whether the worker finds that what a job has begun must be brought to an end. */
  isBegun: boolean;
  /** Done before each of these steps is noted as done; what it throws is the crash. */
  crashAt: string | null;
  /** Takes in a job, as acceptance would, of `requester`. */
  ask(subject: string, requester: string): Promise<Job>;
  /** One attempt at it. */
  work(job: Job): Promise<Ending | Waiting>;
  /** A job for recordings, on either node. */
  recordings(name: string, change?: Partial<NewJob>, spool?: Spool): Promise<Job>;
  /** Ends a job as the worker does. */
  end(job: Job, kind: 'done' | 'failed' | 'cancelled', spool?: Spool): Promise<void>;
}

export async function createPeopleWorld(): Promise<PeopleWorld> {
  const directory = await temporaryDirectory();
  const clock = pausingClock();
  const spool = await openTestSpool(directory.path, 'audio', clock);
  const peerSpool = await openTestSpool(directory.path, 'audio2', clock);
  const audit = createMemoryAudit();
  const people = memoryPeople([MARIA, BIA], ADMIN);
  const permission = createPermission(people, ROLE_COMMANDS);
  const mails: { kind: AnswerKind; job: string; mail: ReplyMail }[] = [];
  const cancelled: { id: string; told: boolean }[] = [];
  const handlers: Partial<RpcHandlers> = {
    'job.list': async (query) => {
      const { jobs, total } = await ownAsked(peerSpool, query);
      return { jobs: [...jobs], total };
    },
    'job.cancel': async ({ id }) => {
      if (world.isBegun) throw new AppError('job.refused', 'it is brought to an end');
      await peerSpool.conclude(id, { kind: 'cancelled', at: clock.now().toString(), summary: '' });
      const { digest, outcome } = (await peerSpool.read(id)) as Job;
      return { report: { id, digest, state: 'pending', position: 1, lastError: null, outcome } };
    },
    'node.status': async () => ({ ...OWN_STATUS, nodeId: 'audio2', sources: ['s3'] }),
  };
  const peer = createMemoryPeer({ id: 'audio2', caller: 'audio', handlers: () => handlers, clock });
  const answers: Answers = {
    send: async (job, context, kind, mail) => {
      await context.step(`mail:${kind}`, {
        happened: async () => null,
        perform: async () => {
          mails.push({ kind, job: job.id, mail });
          return true;
        },
      });
    },
  };
  const common = { answers, people, audit, permission, timeZone: TIME_ZONE };
  const asked = createAskedJobs({ spool, peer, log: silentLog });
  const grammar = createRamaisGrammar({ ...OPTIONS, clock });
  const end: PeopleWorld['end'] = async ({ id }, kind, where = spool) => {
    await where.claim(id);
    await where.conclude(id, { kind, at: clock.now().toString(), summary: '' });
    await where.file(id);
  };
  const registry: Registry = createRegistry([
    {
      ...ramais,
      recheck: (params) => grammar.recheck(grammar.schema.parse(params)),
      touches: (params) => {
        const { extensions, server } = grammar.schema.parse(params);
        return { extensions, servers: server === null ? null : [server] };
      },
    },
    createWhitelistCommand({
      ...common,
      acceptor: spool,
      grammar: createWhitelistGrammar({ servers: OPTIONS.servers, adminEmail: ADMIN }),
    }),
    createStatusCommand({
      ...common,
      ...{ peer, peerId: 'audio2', sources: ['audio', 's3'], status: () => OWN_STATUS },
    }),
    createQueueCommand({ ...common, asked }),
    createCancel({
      ...{ ...common, asked, spool, peer, forwarder: null },
      cancel: async (id, { told }) => {
        const job = spool.get(id);
        if (job === undefined) throw new AppError('job.wrong-state', 'ended');
        if (world.isBegun) throw new AppError('job.begun', 'it is brought to an end');
        cancelled.push({ id, told });
        await end(job, 'cancelled');
      },
    }),
    createResend({ ...common, asked, acceptor: spool, command: (keyword) => registry.get(keyword) }),
    createHelp({
      ...{ ...common, roleCommands: ROLE_COMMANDS, registry: () => registry },
      ...{ mailbox: 'comandos@example.com', tokenRequired: true },
    }),
  ]);
  const contextOf = createContextFactory(spool, clock, silentLog, (_job, step, word) => {
    if (world.crashAt !== `${step} ${word}`) return;
    world.crashAt = null;
    throw new Error(`crashed at ${step}`);
  });
  let count = 0;
  const world: PeopleWorld = {
    ...{ clock, people, spool, peerSpool, peer, audit, registry, mails, cancelled, end },
    crashAt: null,
    isBegun: false,
    ask: async (subject, requester) => {
      const parsed = registry.parse(subject);
      if (!parsed.ok) throw new Error(`not understood: ${JSON.stringify(parsed.faults)}`);
      const { command, params, lane, source } = parsed;
      count += 1;
      const job = newJob(`asked ${count}`, { lane, source });
      const request = { ...job.request, command: command.keyword, params, requester, subject };
      return accepted(spool, { ...job, request: request as NewJob['request'] });
    },
    work: async (job) => {
      const command = registry.get(job.request.command);
      if (command === undefined) throw new Error(`no command ${job.request.command}`);
      const params = command.schema.parse(job.request.params);
      const current = (await spool.read(job.id)) ?? job;
      return command.work(current, params, contextOf(current, new AbortController().signal));
    },
    recordings: (name, change, where = spool) => accepted(where, newJob(name, change)),
    [Symbol.asyncDispose]: async () => {
      await peer.close();
      spool.close();
      peerSpool.close();
      await directory[Symbol.asyncDispose]();
    },
  };
  return world;
}

async function accepted(spool: Spool, job: NewJob): Promise<Job> {
  const { job: kept } = await spool.accept(job);
  if (kept === null) throw new Error('not kept');
  return kept;
}
