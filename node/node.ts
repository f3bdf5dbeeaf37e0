import packageJson from '../package.json' with { type: 'json' };
import type { Lane } from '../protocol/job.ts';
import { type Adapters, createAdapters } from './adapters.ts';
import type { Base } from './base.ts';
import { assembleCapabilities, type Capabilities } from './capabilities.ts';
import type { Later } from './commands.ts';
import { noticeJob } from './commands/answer-jobs.ts';
import { failureJob } from './commands/failure.ts';
import type { Registry } from './commands/registry.ts';
import type { Config } from './config.ts';
import { assembleDoors, type Doors } from './doors.ts';
import type { DeliveryStore } from './delivery/deliveries.ts';
import { type Chore, runJanitor } from './janitor.ts';
import { createDigests } from './mail/digests.ts';
import { assemblePair, assembleTaking, type Pair } from './pair.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import { AppError } from './platform/errors.ts';
import type { Log } from './platform/log.ts';
import { systemRandom } from './platform/random.ts';
import { createConfirmations } from './queue/confirmations.ts';
import { createContextFactory } from './queue/context.ts';
import type { Spool } from './queue/spool.ts';
import type { StepObserver } from './queue/steps.ts';
import { createWorker } from './queue/worker.ts';
import { serve } from './serve.ts';
import { createSpaceNotices } from './space-notices.ts';
import { type Stores, openStores } from './stores.ts';

const VERSION = packageJson.version;
const HOURS_PER_DAY = 24;

/** Lanes that this node works. */
const LANES: readonly Lane[] = ['forward', 'recordings', 'servers', 'replies'];

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

type Queue = Awaited<ReturnType<typeof assembleQueue>>;
type Parts = Capabilities & Queue & Doors & { readonly pair: Pair; readonly later: { now: Later | null } };

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
  const made = await createAdapters(config, stores, base.clock, base.log);
  const adapters = { ...made, ...deps.adapters };
  opening.defer(() => adapters.mailer.close());
  opening.defer(() => adapters.sent?.close());
  opening.defer(() => adapters.peer?.close());
  opening.defer(() => adapters.dropbox?.close());
  for (const index of adapters.indexes) opening.defer(() => index.close());
  const later: { now: Later | null } = { now: null };
  const capabilities = await assembleCapabilities(base, stores, adapters, () => {
    if (later.now === null) throw new AppError('node.not-started', 'no command is worked before the start');
    return later.now;
  });
  const queue = await assembleQueue(base, stores, adapters, capabilities);
  const doors = await assembleDoors(base, stores, adapters, capabilities);
  const parts = { ...capabilities, ...queue, ...doors };
  const pair = await assemblePair({ ...base, ...parts, stores, adapters });
  const closing = opening.move();
  return {
    failed: failure.promise,
    start: () => start({ ...base, closing }, stores, adapters, { ...parts, pair, later }),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
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

async function start(base: Base, stores: Stores, adapters: Adapters, parts: Parts): Promise<void> {
  const { confirmations, worker, drops, pair } = parts;
  const { config, log, closing } = base;
  const stopping = new AbortController();
  closing.defer(() => stopping.abort());
  const { status, ready } = await serve({
    ...base,
    ...stores,
    ...adapters,
    ...parts,
    ...pair,
    warnings: [...base.warnings, ...roleWarnings(config, parts.registry)],
    lanes: LANES,
    version: VERSION,
  });
  parts.later.now = { cancel: worker.cancel, status };
  for (const index of adapters.indexes) index.start();
  for (const { fileName, reason } of stores.spool.damaged) {
    await stores.spool.accept(noticeJob('drop-set-aside', fileName, { file: fileName, reason }));
  }
  for (const lane of LANES) for (const job of stores.spool.open(lane)) confirmations.add(job);
  worker.run().catch(base.fail);
  drops.start();
  tidyUp(base, stores, parts, stopping);
  await pair.start({ status, ready: async () => (await ready()).ready }, closing);
  const { role, term } = pair.leadership.view();
  log.info('working', { node: config.nodeId, role, term, version: VERSION });
}

/** What goes on beside the lanes as long as the node does. */
function tidyUp(
  { config, clock, log, closing }: Base,
  { spool, held, space, diskUse }: Stores,
  { deliveries, sip, answers }: Parts,
  stopping: AbortController,
): void {
  const { signal } = stopping;
  const { nodeId, stateDir, spoolDays } = config;
  const digests = createDigests({ answers, held, spool, clock, log: log.with({ room: 'mail' }) });
  const diskLog = log.with({ room: 'disk' });
  const running = [
    runJanitor({ chores: choresOf(deliveries, spool, spoolDays), clock, log }, signal),
    sip.expiry.run(signal),
    digests.run(signal),
    diskUse.run(signal),
    createSpaceNotices({ space, acceptor: spool, nodeId, stateDir, clock, log: diskLog }).run(signal),
  ];
  closing.defer(async () => {
    stopping.abort();
    await Promise.all(running);
  });
}

/** What has its time: deliveries whose links are dead, what nobody knows of any more, old jobs. */
function choresOf(deliveries: DeliveryStore, spool: Spool, days: Config['spoolDays']): readonly Chore[] {
  return [
    { name: 'expired deliveries', everyRounds: 1, run: deliveries.sweepExpired },
    { name: 'orphans', everyRounds: 6, run: deliveries.sweepOrphans },
    {
      name: 'old jobs',
      everyRounds: 1,
      run: async (now, signal) => {
        const before = (kept: number): Temporal.Instant => now.subtract({ hours: kept * HOURS_PER_DAY });
        const ended = { completed: before(days.completed), failed: before(days.failed) };
        return `removed ${await spool.purge(ended, signal)} old jobs from the spool`;
      },
    },
  ];
}

/** Words among OPERADOR_COMMANDS and CONSULTA_COMMANDS that are no command. */
function roleWarnings({ access }: Config, { keywords }: Registry): string[] {
  return Object.entries(access.roleCommands).flatMap(([role, commands]) =>
    commands
      .filter((keyword) => !keywords.includes(keyword))
      .map((keyword) => `${role.toUpperCase()}_COMMANDS: there is no command ${keyword}`),
  );
}
