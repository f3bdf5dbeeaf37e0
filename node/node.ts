import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import type { Lane } from '../protocol/job.ts';
import { createAccess } from './access/access.ts';
import { openDoorTokens } from './access/door-token.ts';
import { createWhitelist } from './access/whitelist.ts';
import { type Adapters, createAdapters, webRoot } from './adapters.ts';
import { noticeJob } from './commands/answer-jobs.ts';
import { createFailure, failureJob } from './commands/failure.ts';
import { createNotice } from './commands/notice.ts';
import { createRamaisGrammar } from './commands/ramais-grammar.ts';
import { createRamais } from './commands/ramais.ts';
import { createRefusal } from './commands/refusal.ts';
import { createRegistry } from './commands/registry.ts';
import type { Config } from './config.ts';
import { createDeliveryStore } from './delivery/delivery-store.ts';
import { createAcceptance } from './ingest/acceptance.ts';
import { createDoubts } from './ingest/doubts.ts';
import { createDropAdmission } from './ingest/drop-admission.ts';
import { createIngest } from './ingest/ingest.ts';
import { runJanitor } from './janitor.ts';
import { createAnswers } from './mail/answers.ts';
import { assembleForwarding, assemblePair, assembleTaking, type Pair } from './pair.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { systemRandom } from './platform/random.ts';
import { createConfirmations } from './queue/confirmations.ts';
import { createContextFactory } from './queue/context.ts';
import { createDrops } from './queue/drops.ts';
import type { StepObserver } from './queue/steps.ts';
import { createWorker } from './queue/worker.ts';
import { serve } from './serve.ts';
import { type Stores, openStores } from './stores.ts';

const VERSION = packageJson.version;

/** Lanes that this node works. */
const LANES: readonly Lane[] = ['forward', 'recordings', 'replies'];

/** What a node is given besides its configuration; tests put fakes and observers here. */
export interface NodeDeps {
  readonly log: Log;
  readonly clock?: Clock;
  /** In [0, 1); spreads retries. */
  readonly random?: () => number;
  /** In place of those the configuration asks for. */
  readonly adapters?: Partial<Adapters>;
  /** Told of each intent and done as it is on disk. */
  readonly observeStep?: StepObserver;
  /** What an operator should know of the configuration; shown by `node-ctl status`. */
  readonly warnings?: readonly string[];
}

export interface Node extends AsyncDisposable {
  /** Begins to work; resolves when it listens. Once. @throws AppError `control.in-use`, `listen.failed` */
  start(): Promise<void>;
  /** Rejects where something ended that is to go on as long as the node does: a fault of ours, best met by a restart. */
  readonly failed: Promise<never>;
}

/** What the parts of a node are made of. */
interface Base {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly observeStep: StepObserver;
  readonly warnings: readonly string[];
  readonly fail: (error: unknown) => void;
  /** Closes what was opened, in the reverse order. */
  readonly closing: AsyncDisposableStack;
}

type Capabilities = ReturnType<typeof assembleCapabilities>;
type Queue = Awaited<ReturnType<typeof assembleQueue>>;
type Doors = Awaited<ReturnType<typeof assembleDoors>>;
type Parts = Capabilities & Queue & Doors & { readonly pair: Pair };

/**
 * Builds a node: the only place that knows all rooms. Nothing is listened to or worked before `start`.
 * @throws AppError where something cannot be opened: `spool.owned`, `access.token-file` and others
 */
export async function createNode(config: Config, deps: NodeDeps): Promise<Node> {
  await using opening = new AsyncDisposableStack();
  const failure = Promise.withResolvers<never>();
  const base: Base = {
    config,
    clock: systemClock,
    random: systemRandom,
    observeStep: () => undefined,
    warnings: [],
    fail: failure.reject,
    ...deps,
    closing: opening,
  };
  const stores = await openStores(config, base.clock, base.log, opening);
  const made = await createAdapters(config, stores.keyring, base.clock, base.log);
  const adapters = { ...made, ...deps.adapters };
  opening.defer(() => adapters.mailer.close());
  opening.defer(() => adapters.sent?.close());
  opening.defer(() => adapters.peer?.close());
  opening.defer(() => adapters.dropbox?.close());
  for (const index of adapters.indexes) opening.defer(() => index.close());
  const capabilities = assembleCapabilities(base, stores, adapters);
  const queue = await assembleQueue(base, stores, adapters, capabilities);
  const doors = await assembleDoors(base, stores, adapters, capabilities);
  const parts = { ...capabilities, ...queue, ...doors };
  const pair = await assemblePair({ ...base, ...parts, stores, adapters });
  const closing = opening.move();
  return {
    failed: failure.promise,
    start: () => start({ ...base, closing }, stores, adapters, { ...parts, pair }),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** What can be asked for, and what that is done with. */
function assembleCapabilities(base: Base, stores: Stores, adapters: Adapters) {
  const { config, clock, log } = base;
  const { audit } = stores;
  const { nodeId, stateDir, limits, access, servers, smtp } = config;
  const { timeZone } = config.recordings;
  const { adminEmail, requireToken: tokenRequired } = access;
  const { mailer, sent, sources, publisher } = adapters;
  const directory = join(stateDir, 'deliveries');
  const deliveries = createDeliveryStore({
    directory,
    publisher,
    webRoot: webRoot(config),
    log: log.with({ room: 'delivery' }),
  });
  const answers = createAnswers({ mailer, sent, audit, clock, adminEmail, from: smtp.from.address });
  const defaultSource = config.audiosFrom;
  const grammar = createRamaisGrammar({ ...limits, servers, defaultSource, timeZone, clock });
  const { archiveLevel: level, publish } = config;
  const archiving = { level, maxBytes: limits.maxResultBytes, maxFiles: limits.maxResultFiles };
  const delivering = { sources, publisher, deliveries, archiving, linkHours: publish.linkHours };
  const handingOver = assembleForwarding(base, stores, adapters);
  const { forwarder } = handingOver;
  const ramais = createRamais({ grammar, ...delivering, forwarder, answers, audit, clock, timeZone });
  const registry = createRegistry([
    ramais,
    createRefusal({ answers, mailbox: config.mail.auth.user, adminEmail, tokenRequired }),
    createNotice({ answers, nodeId, timeZone }),
    createFailure(answers),
  ]);
  return { registry, grammar, deliveries, ...handingOver };
}

/** What works the jobs. */
async function assembleQueue(
  base: Base,
  { spool, audit }: Stores,
  { peer }: Adapters,
  { registry, forwarder }: Capabilities,
) {
  const { config, clock, random, observeStep, closing } = base;
  const log = base.log.with({ room: 'queue' });
  const contextOf = createContextFactory(spool, clock, log, observeStep);
  const shared = { command: registry.get, contextOf, clock, log, random };
  const { holds, settlements } = await assembleTaking(base, peer);
  const confirmations = createConfirmations({
    ...shared,
    openJob: spool.get,
    onTried: (job) => worker.kick(job.lane),
  });
  const worker = createWorker({
    ...shared,
    spool,
    lanes: LANES,
    maxAttempts: config.limits.maxAttempts,
    processingTimeoutMs: config.limits.processingTimeoutMs,
    // The confirmation of a job for the peer waits for the first try at handing it over, not the other way round.
    mayStart: (job) => !holds.isHeld(job.id) && (job.lane === 'forward' || !confirmations.isFirst(job.id)),
    answerFailure: async (job, code) => {
      const internal = registry.get(job.request.command)?.internal === true;
      const answer = internal ? null : failureJob(job, code);
      if (answer !== null) await spool.accept(answer);
    },
    noteEnding: async (job) => {
      const { id, request, outcome } = job;
      await audit.record({ event: 'job.ended', job: id, command: request.command, outcome });
      await settlements?.note(job);
    },
  });
  spool.onAccepted(confirmations.add);
  spool.onAccepted((job) => worker.kick(job.lane));
  forwarder?.onReady(() => worker.kick('forward'));
  holds.onReleased(() => worker.kick('recordings'));
  closing.defer(async () => {
    await Promise.all([confirmations.stop(), worker.stop()]);
  });
  return { confirmations, worker, holds, settlements };
}

/** Where commands come in: the mailbox and the files that others drop. */
async function assembleDoors(
  { config, clock, log, random, closing }: Base,
  { audit, ledger, known, doubtStore, spool, asideStore, setAside }: Stores,
  { mailbox, sources, peer }: Adapters,
  { registry, documents }: Capabilities,
) {
  const { adminEmail, tokenFile, requireToken } = config.access;
  const { maxBytes } = config.mail;
  const whitelist = createWhitelist(config.access.whitelist, [adminEmail]);
  const tokens = tokenFile === null ? null : await openDoorTokens(tokenFile, log.with({ room: 'access' }));
  const access = createAccess({ whitelist, tokens, requireToken });
  const ingestLog = log.with({ room: 'ingest' });
  const deciding = { access, grammar: registry, acceptor: spool, ledger, known, audit, setAside: asideStore };
  const acceptance = createAcceptance({ ...deciding, doubts: doubtStore, clock, log: ingestLog, maxBytes });
  const ingest = createIngest({
    mailbox,
    ledger,
    known,
    acceptance,
    clock,
    log: ingestLog,
    random,
    maxBytes,
  });
  closing.defer(() => ingest.stop());
  // A Python peer would drop it here again.
  const forwards = peer !== null;
  const drops = createDrops({
    directory: join(config.queueDir, 'pending'),
    isOwn: spool.owns,
    admit: createDropAdmission({
      ...{ registry, whitelist, acceptor: spool, ledger, audit, sources, documents, forwards },
    }),
    setAside,
    clock,
    log: log.with({ room: 'drops' }),
  });
  closing.defer(() => drops.stop());
  const doubts = createDoubts({ store: doubtStore, acceptor: spool, ledger, known, audit });
  return { ingest, drops, doubts, whitelist };
}

async function start(base: Base, stores: Stores, adapters: Adapters, parts: Parts): Promise<void> {
  const { confirmations, worker, drops, pair, deliveries } = parts;
  const { config, clock, log, closing } = base;
  const stopping = new AbortController();
  closing.defer(() => stopping.abort());
  const { status, ready } = await serve({
    ...base,
    ...stores,
    ...adapters,
    ...parts,
    ...pair,
    lanes: LANES,
    version: VERSION,
  });
  for (const index of adapters.indexes) index.start();
  for (const { fileName, reason } of stores.spool.damaged) {
    await stores.spool.accept(noticeJob('drop-set-aside', fileName, { file: fileName, reason }));
  }
  for (const lane of LANES) for (const job of stores.spool.open(lane)) confirmations.add(job);
  worker.run().catch(base.fail);
  drops.start();
  const { spool } = stores;
  const janitor = runJanitor({ deliveries, spool, spoolDays: config.spoolDays, clock, log }, stopping.signal);
  closing.defer(async () => {
    stopping.abort();
    await janitor;
  });
  await pair.start({ status, ready: async () => (await ready()).ready }, closing);
  const { role, term } = pair.leadership.view();
  log.info('working', { node: config.nodeId, role, term, version: VERSION });
}
