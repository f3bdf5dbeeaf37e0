import { join } from 'node:path';
import type { Command } from '../../node/commands/command.ts';
import { createFailure, failureJob } from '../../node/commands/failure.ts';
import { createRamaisGrammar } from '../../node/commands/ramais-grammar.ts';
import { createRamais } from '../../node/commands/ramais.ts';
import { createRegistry } from '../../node/commands/registry.ts';
import type { DeliveryStore } from '../../node/delivery/deliveries.ts';
import { openDeliveries } from '../../node/delivery/open-deliveries.ts';
import { createDropAdmission } from '../../node/ingest/drop-admission.ts';
import { openLedger } from '../../node/ingest/ledger.ts';
import { createNodeLinks } from '../../node/links/node-links.ts';
import type { Answers } from '../../node/mail/answers.ts';
import { createHolds } from '../../node/forward/forward-holds.ts';
import { createForwarder, type Forwarder } from '../../node/forward/forwarder.ts';
import { createJobHandlers, type JobHandlers } from '../../node/forward/job-handlers.ts';
import { openSettlements } from '../../node/forward/settlements.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { AppError } from '../../node/platform/errors.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createConfirmations } from '../../node/queue/confirmations.ts';
import { createContextFactory } from '../../node/queue/context.ts';
import { openSpool, type Spool } from '../../node/queue/spool.ts';
import { createWorker, type Worker } from '../../node/queue/worker.ts';
import { recordingName, wav } from './audio.ts';
import { pairedDocuments } from './forward-world.ts';
import { createMemoryDropbox, type MemoryDropbox } from './memory-dropbox.ts';
import { createMemorySpace, type MemorySpace } from './memory-space.ts';
import { createMemoryPeer, type MemoryPeer } from './memory-peer.ts';
import { createMemoryPublisher, type MemoryPublisher } from './memory-publisher.ts';
import { createMemorySource } from './memory-source.ts';
import { temporaryDirectory } from './process.ts';
import { letsIn } from './memory-access-store.ts';
import { createMemoryAudit } from './memory-audit.ts';

type NodeId = 'audio' | 'audio2';

/** A mail that a node sent. */
export interface SentAnswer {
  readonly node: NodeId;
  readonly job: string;
  readonly kind: string;
  readonly text: string;
}

export interface PairedNode {
  readonly spool: Spool;
  /** The other node, as this one calls it. */
  readonly peer: MemoryPeer;
  readonly dropbox: MemoryDropbox;
  readonly forwarder: Forwarder;
  readonly worker: Pick<Worker, 'pause' | 'resume'>;
  /** The ids of the jobs that were searched for here, each time. */
  readonly searched: string[];
  /** From now on every search here fails for good with this code, until null. */
  readonly failing: { code: string | null };
  /** On its disk, as it tells others. */
  readonly space: MemorySpace;
}

/** Two nodes in one process, wired as a node is: `audio` has the recordings of 1121, `audio2` has none. */
export interface ForwardPair extends AsyncDisposable {
  readonly audio: PairedNode;
  readonly audio2: PairedNode;
  readonly mails: readonly SentAnswer[];
}

export async function createForwardPair(): Promise<ForwardPair> {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const mails: SentAnswer[] = [];
  const handlers: { -readonly [Id in NodeId]: JobHandlers | null } = { audio: null, audio2: null };
  const takers: Partial<Record<NodeId, (content: Buffer) => void>> = {};
  const documents = pairedDocuments(systemClock);
  const open = async (id: NodeId, peerId: NodeId): Promise<PairedNode> => {
    const node = await openNode({
      ...{ id, peerId, mails, stack, directory: join(directory, id), documents: documents[id] },
      peer: createMemoryPeer({ id: peerId, caller: id, handlers: () => handlers[peerId] }),
      dropbox: createMemoryDropbox((content) => takers[peerId]?.(content)),
    });
    handlers[id] = node.handlers;
    takers[id] = node.takeDrop;
    return node;
  };
  const audio = await open('audio', 'audio2');
  const audio2 = await open('audio2', 'audio');
  return { audio, audio2, mails, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface NodeOptions {
  readonly id: NodeId;
  readonly peerId: NodeId;
  readonly directory: string;
  readonly peer: MemoryPeer;
  readonly dropbox: MemoryDropbox;
  readonly documents: ReturnType<typeof pairedDocuments>[NodeId];
  readonly mails: SentAnswer[];
  readonly stack: AsyncDisposableStack;
}

async function openNode(options: NodeOptions) {
  const { id, peerId, directory, peer, dropbox, documents, mails, stack } = options;
  const common = { clock: systemClock, log: silentLog, random: Math.random };
  const { clock, log } = common;
  const ledger = await openLedger({ path: join(directory, 'ledger.jsonl'), clock, log });
  stack.defer(() => ledger.close());
  const spool = await openSpool({
    ...{ directory: join(directory, 'queue'), nodeId: id, clock, log },
    sealKey: Buffer.alloc(32, 7),
    acceptedEarlier: ledger.accepted,
    setAside: async () => undefined,
  });
  stack.defer(() => spool.close());
  const audit = createMemoryAudit();
  const forwarder = createForwarder({
    ...common,
    peerId,
    peer,
    dropbox,
    document: documents.print,
    spool,
    audit,
  });
  stack.defer(() => forwarder.close());
  const settlements = await openSettlements({ ...common, directory: join(directory, 'settlements'), peer });
  const holds = createHolds(clock);
  const space = createMemorySpace();
  const searched: string[] = [];
  const failing: PairedNode['failing'] = { code: null };
  const has = {
    audio: createMemorySource({ [recordingName('1121', '2000', '20260301-090000')]: wav(1000) }),
  };
  const sources = new Map(id === 'audio' ? [['audio', has.audio] as const] : []);
  const publisher = createMemoryPublisher(clock, { kind: 'web' });
  const webRoot = join(directory, 'web');
  const deliveries = await openDeliveries({
    ...{ stateDir: directory, webRoot, publisher, presignedHours: null, clock, log },
  });
  stack.defer(() => deliveries.close());
  const delivering = { publisher, deliveries, sources };
  const commands = commandsOf({ id, mails, forwarder, searched, failing, ...delivering });
  const registry = createRegistry(commands);
  const contextOf = createContextFactory(spool, clock, log, () => undefined);
  const shared = { ...common, command: registry.get, contextOf };
  const confirmations = createConfirmations({
    ...shared,
    openJob: spool.get,
    onTried: ({ lane }) => worker.kick(lane),
  });
  const worker = createWorker({
    ...shared,
    spool,
    lanes: ['forward', 'recordings', 'replies'],
    maxAttempts: 3,
    processingTimeoutMs: 60_000,
    mayStart: (job) => (job.lane === 'forward' || !confirmations.isFirst(job.id)) && !holds.isHeld(job.id),
    answerFailure: async (job, code) => {
      const answer = failureJob(job, code);
      if (answer !== null) await spool.accept(answer);
    },
    noteEnding: settlements.note,
  });
  spool.onAccepted((job) => {
    confirmations.add(job);
    worker.kick(job.lane);
  });
  forwarder.onReady(() => worker.kick('forward'));
  holds.onReleased(() => worker.kick('recordings'));
  const permission = letsIn('@example.com');
  const admit = createDropAdmission({
    ...{ registry, permission, acceptor: spool, spool, ledger, audit, space, sources, documents },
    forwards: true,
  });
  const running = worker.run();
  settlements.start();
  stack.defer(async () => {
    holds.close();
    await Promise.all([confirmations.stop(), worker.stop(), settlements.stop()]);
    await peer.close();
    await running;
  });
  return {
    ...{ spool, peer, dropbox, forwarder, worker, searched, failing, space },
    handlers: createJobHandlers({
      ...{ registry, permission, sources, spool, ledger, audit, space, holds },
      cancel: worker.cancel,
      noteSettled: forwarder.noteSettled,
      settlements,
    }),
    takeDrop: (content: Buffer): void => {
      admit(content, JSON.parse(content.toString())).catch((error: unknown) => {
        throw new Error('a drop of the peer was not taken', { cause: error });
      });
    },
  };
}

interface CommandOptions {
  readonly id: NodeId;
  readonly mails: SentAnswer[];
  readonly forwarder: Forwarder;
  readonly publisher: MemoryPublisher;
  readonly deliveries: DeliveryStore;
  readonly sources: ReadonlyMap<'audio', ReturnType<typeof createMemorySource>>;
  readonly searched: string[];
  readonly failing: PairedNode['failing'];
}

function commandsOf(options: CommandOptions): Command[] {
  const { id, mails, forwarder, publisher, deliveries, sources, searched, failing } = options;
  const clock = systemClock;
  const timeZone = 'America/Sao_Paulo';
  const limits = {
    maxExtensions: 10,
    maxDays: 30,
    servers: [],
    defaultSource: 'audio',
    timeZone,
    clock,
  } as const;
  const answers: Answers = {
    send: async (job, context, kind, mail) => {
      await context.step(`mail:${kind}`, {
        happened: async () => null,
        perform: async () => mails.push({ node: id, job: job.id, kind, text: mail.text }),
      });
    },
  };
  const ramais = createRamais({
    grammar: createRamaisGrammar(limits),
    ...{ sources, forwarder, publisher, answers, clock, timeZone, linkHours: 1 },
    archiving: { level: 0, maxBytes: 1_000_000_000, maxFiles: 1_000 },
    ...{ deliveries, transcoder: null, space: async () => null },
    links: createNodeLinks({ nodeId: id, linkKey: Buffer.alloc(32, 1), publicUrl: 'https://example.test' }),
    audit: createMemoryAudit(),
    people: { find: () => null },
  });
  const work: typeof ramais.work = async (job, params, context) => {
    if (job.lane === 'recordings') {
      searched.push(job.id);
      if (failing.code !== null) throw new AppError(failing.code, 'as the test wants it');
    }
    return ramais.work(job, params, context);
  };
  return [{ ...ramais, work }, createFailure(answers)];
}
