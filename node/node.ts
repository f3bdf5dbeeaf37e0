import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import type { Lane } from '../protocol/job.ts';
import { createAccess } from './access/access.ts';
import { openDoorTokens } from './access/door-token.ts';
import { createWhitelist } from './access/whitelist.ts';
import { type Adapters, createAdapters, linkKeyPath, webRoot } from './adapters.ts';
import { openAudit } from './audit.ts';
import { createFailure, failureJob } from './commands/failure.ts';
import { createNotice } from './commands/notice.ts';
import { createRamaisGrammar } from './commands/ramais-grammar.ts';
import { createRamais } from './commands/ramais.ts';
import { createRefusal } from './commands/refusal.ts';
import { createRegistry } from './commands/registry.ts';
import type { Config } from './config.ts';
import { createDeliveryStore } from './delivery/delivery-store.ts';
import { loadLinkKey } from './delivery/signed-link.ts';
import { createAcceptance } from './ingest/acceptance.ts';
import { createDropAdmission } from './ingest/drop-admission.ts';
import { createIngest } from './ingest/ingest.ts';
import { openLedger } from './ingest/ledger.ts';
import { runJanitor } from './janitor.ts';
import { openControlSocket } from './listeners/control.ts';
import { listenPublic } from './listeners/listen-public.ts';
import { createPublicApp } from './listeners/public.ts';
import { createAnswers } from './mail/answers.ts';
import { type OperationsOptions, createOperations } from './operations.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { createSetAside } from './platform/set-aside.ts';
import { createConfirmations } from './queue/confirmations.ts';
import { createContextFactory } from './queue/context.ts';
import { createDrops } from './queue/drops.ts';
import { openSpool } from './queue/spool.ts';
import type { StepObserver } from './queue/steps.ts';
import { createWorker } from './queue/worker.ts';

const VERSION = packageJson.version;

/** Lanes that this node works. */
const LANES: readonly Lane[] = ['recordings', 'replies'];

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
}

/** What the parts of a node are made of. */
interface Base {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly observeStep: StepObserver;
  readonly warnings: readonly string[];
  /** Closes what was opened, in the reverse order. */
  readonly closing: AsyncDisposableStack;
}

type Stores = Awaited<ReturnType<typeof openStores>>;
type Queue = ReturnType<typeof assembleQueue>;
type Capabilities = ReturnType<typeof assembleCapabilities>;
type Doors = Awaited<ReturnType<typeof assembleDoors>>;

/**
 * Builds a node: the only place that knows all rooms. Nothing is listened to or worked before `start`.
 * @throws AppError where something cannot be opened: `spool.owned`, `access.token-file` and others
 */
export async function createNode(config: Config, deps: NodeDeps): Promise<Node> {
  await using opening = new AsyncDisposableStack();
  const base: Base = {
    config,
    clock: systemClock,
    random: Math.random,
    observeStep: () => undefined,
    warnings: [],
    ...deps,
    closing: opening,
  };
  const stores = await openStores(base);
  const adapters = { ...(await createAdapters(config, base.clock, base.log)), ...deps.adapters };
  opening.defer(() => adapters.mailer.close());
  opening.defer(() => adapters.sent?.close());
  const capabilities = assembleCapabilities(base, stores, adapters);
  const queue = assembleQueue(base, stores, capabilities);
  const doors = await assembleDoors(base, stores, adapters, capabilities);
  const closing = opening.move();
  return {
    start: () => start({ ...base, closing }, stores, adapters, capabilities, queue, doors),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** What is kept on disk. */
async function openStores({ config, clock, log, closing }: Base) {
  const { stateDir, nodeId, queueDir } = config;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const audit = await openAudit(join(stateDir, 'audit'), nodeId, clock);
  const ledgerLog = log.with({ room: 'ledger' });
  const ledger = await openLedger({ path: join(stateDir, 'ledger.jsonl'), clock, log: ledgerLog });
  closing.defer(() => ledger.close());
  const asideStore = createSetAside(join(stateDir, 'set-aside'));
  const setAside = async (path: string, reason: string): Promise<void> => {
    await asideStore.file(path, reason);
  };
  const spoolLog = log.with({ room: 'spool' });
  const acceptedEarlier = ledger.find;
  const spool = await openSpool({
    directory: queueDir,
    nodeId,
    clock,
    log: spoolLog,
    acceptedEarlier,
    setAside,
  });
  closing.defer(() => spool.close());
  return { audit, ledger, spool, asideStore, setAside };
}

/** What can be asked for, and what that is done with. */
function assembleCapabilities({ config, clock, log }: Base, { audit }: Stores, adapters: Adapters) {
  const { nodeId, stateDir, limits, access, servers, smtp } = config;
  const { timeZone } = config.recordings;
  const { adminEmail, requireToken: tokenRequired } = access;
  const { mailer, sent, sources, publisher } = adapters;
  const directory = join(stateDir, 'deliveries');
  const deliveries = createDeliveryStore({ directory, publisher, log: log.with({ room: 'delivery' }) });
  const answers = createAnswers({ mailer, sent, audit, clock, adminEmail, from: smtp.from.address });
  const defaultSource = config.audiosFrom;
  const grammar = createRamaisGrammar({ ...limits, servers, defaultSource, timeZone, clock });
  const delivering = { sources, publisher, deliveries, linkHours: config.publish.linkHours };
  const ramais = createRamais({ grammar, ...delivering, answers, audit, clock, timeZone });
  const registry = createRegistry([
    ramais,
    createRefusal({ answers, mailbox: config.mail.auth.user, adminEmail, tokenRequired }),
    createNotice({ answers, nodeId, timeZone }),
    createFailure(answers),
  ]);
  return { registry, grammar, deliveries };
}

/** What works the jobs. */
function assembleQueue(base: Base, { spool, audit }: Stores, { registry }: Capabilities) {
  const { config, clock, random, observeStep, closing } = base;
  const log = base.log.with({ room: 'queue' });
  const contextOf = createContextFactory(spool, clock, log, observeStep);
  const shared = { command: registry.get, contextOf, clock, log, random };
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
    mayStart: (job) => !confirmations.isFirst(job.id),
    answerFailure: async (job, code) => {
      const internal = registry.get(job.request.command)?.internal === true;
      const answer = internal ? null : failureJob(job, code);
      if (answer !== null) await spool.accept(answer);
    },
    onSettled: ({ id, request, outcome }) =>
      audit.record({ event: 'job.ended', job: id, command: request.command, outcome }),
  });
  spool.onAccepted(confirmations.add);
  closing.defer(async () => {
    await confirmations.stop();
    await worker.stop();
  });
  return { confirmations, worker };
}

/** Where commands come in: the mailbox and the files that others drop. */
async function assembleDoors(
  { config, clock, log, random, closing }: Base,
  { audit, ledger, spool, asideStore, setAside }: Stores,
  { mailbox }: Adapters,
  { registry }: Capabilities,
) {
  const { adminEmail, tokenFile, requireToken } = config.access;
  const { maxBytes } = config.mail;
  const whitelist = createWhitelist(config.access.whitelist, [adminEmail]);
  const tokens = tokenFile === null ? null : await openDoorTokens(tokenFile, log.with({ room: 'access' }));
  const access = createAccess({ whitelist, tokens, requireToken });
  const ingestLog = log.with({ room: 'ingest' });
  const deciding = { access, grammar: registry, acceptor: spool, ledger, audit, setAside: asideStore };
  const acceptance = createAcceptance({ ...deciding, clock, log: ingestLog, maxBytes });
  const ingest =
    config.mode === 'master'
      ? createIngest({ mailbox, ledger, acceptance, clock, log: ingestLog, random, maxBytes })
      : null;
  closing.defer(() => ingest?.stop());
  const drops = createDrops({
    directory: join(config.queueDir, 'pending'),
    isOwn: spool.owns,
    admit: createDropAdmission({ registry, whitelist, acceptor: spool, ledger, audit }),
    setAside,
    clock,
    log: log.with({ room: 'drops' }),
  });
  closing.defer(() => drops.stop());
  return { ingest, drops };
}

async function start(
  base: Base,
  stores: Stores,
  adapters: Adapters,
  capabilities: Capabilities,
  { confirmations, worker }: Queue,
  { ingest, drops }: Doors,
): Promise<void> {
  const { config, clock, log, closing } = base;
  const stopping = new AbortController();
  closing.defer(() => stopping.abort());
  await listen(base, stores, adapters, capabilities, worker, ingest);
  for (const lane of LANES) for (const job of stores.spool.open(lane)) confirmations.add(job);
  worker.start();
  drops.start();
  const { spool } = stores;
  const { deliveries } = capabilities;
  const janitor = runJanitor({ deliveries, spool, spoolDays: config.spoolDays, clock, log }, stopping.signal);
  closing.defer(async () => {
    stopping.abort();
    await janitor;
  });
  void ingest?.run(stopping.signal);
  log.info('working', { node: config.nodeId, role: config.mode, version: VERSION });
}

/** Opens the public listener and the control socket. */
async function listen(
  { config, clock, log, warnings, closing }: Base,
  { spool, audit }: Stores,
  { sources, publisher }: Adapters,
  { grammar, deliveries }: Capabilities,
  worker: OperationsOptions['worker'],
  ingest: Doors['ingest'],
): Promise<void> {
  const { nodeId, mode, publish, stateDir } = config;
  if (publish.webListen !== null) {
    const linkKey = await loadLinkKey(linkKeyPath(config));
    const publicLog = log.with({ room: 'public' });
    const app = createPublicApp({ linkKey, root: webRoot(config), nodeId, clock, log: publicLog });
    const listener = await listenPublic(app, `${publish.webListen.host}:${publish.webListen.port}`);
    closing.defer(() => listener.close());
    log.info('links are answered', { at: `${listener.host}:${listener.port}` });
  }
  const since = clock.now().toString();
  const startedMs = clock.monotonicMs();
  const control = createOperations({
    ...{ spool, worker, grammar, sources, publisher, deliveries, lanes: LANES, ingest },
    timeZone: config.recordings.timeZone,
    record: (event, job) => audit.record({ event, job, by: 'node-ctl' }),
    about: () => ({
      ...{ nodeId, version: VERSION, mode, role: mode, since, stateDir },
      uptimeSeconds: (clock.monotonicMs() - startedMs) / 1000,
      ingest: ingest === null ? null : ingestStatus(ingest),
      sources: [...sources.keys()],
      publisher: publisher.name,
      warnings: [...warnings],
    }),
  });
  const socket = await openControlSocket({
    path: config.controlSocket,
    control,
    log: log.with({ room: 'control' }),
  });
  closing.defer(() => socket.close());
}

function ingestStatus(ingest: NonNullable<Doors['ingest']>) {
  const { state, lastMailAt, lastError } = ingest.status();
  return {
    state,
    paused: state === 'paused',
    lastMailAt: lastMailAt?.toString() ?? null,
    lastError: lastError === null ? null : `${lastError.code}: ${lastError.message}`,
  };
}
