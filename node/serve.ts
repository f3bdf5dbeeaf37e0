import { linkKeyPath, webRoot } from './adapters.ts';
import type { Audit } from './audit.ts';
import type { Config } from './config.ts';
import type { Ingest } from './ingest/ingest.ts';
import { openControlSocket } from './listeners/control.ts';
import { ingestView, type Readiness, readinessOf } from './listeners/health.ts';
import { listenPublic } from './listeners/listen-public.ts';
import { createPublicApp } from './listeners/public.ts';
import { type OperationsOptions, createOperations } from './operations.ts';
import type { Clock } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { loadSecretKey } from './platform/secret-key.ts';

export interface ServeOptions extends Omit<OperationsOptions, 'about' | 'record' | 'timeZone' | 'ingest'> {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly warnings: readonly string[];
  readonly audit: Audit;
  /** Null on a node that does not read the mailbox. */
  readonly ingest: Ingest | null;
  readonly closing: AsyncDisposableStack;
}

/** Opens the public listener and the control socket. @throws AppError `control.in-use`, `listen.failed` */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, version, clock, log, warnings, audit, ingest, closing, sources, publisher } = options;
  const { nodeId, mode, publish, stateDir } = config;
  if (publish.webListen !== null) {
    const linkKey = await loadSecretKey(linkKeyPath(config));
    const publicLog = log.with({ room: 'public' });
    const ready = (): Promise<Readiness> => readinessOf(config.queueDir, ingest?.status() ?? null);
    const app = createPublicApp({ linkKey, root: webRoot(config), nodeId, clock, log: publicLog, ready });
    const listener = await listenPublic(app, publish.webListen);
    closing.defer(() => listener.close());
    log.info('links are answered', { at: `${listener.host}:${listener.port}` });
  }
  const since = clock.now().toString();
  const startedMs = clock.monotonicMs();
  const control = createOperations({
    ...options,
    timeZone: config.recordings.timeZone,
    record: (event) => audit.record({ ...event, by: 'node-ctl' }),
    about: () => ({
      ...{ nodeId, version, mode, role: mode, since, stateDir },
      uptimeSeconds: (clock.monotonicMs() - startedMs) / 1000,
      ingest: ingest === null ? null : ingestView(ingest.status()),
      sources: [...sources.keys()],
      publisher: publisher.name,
      warnings: [...warnings],
    }),
  });
  const socketLog = log.with({ room: 'control' });
  const socket = await openControlSocket({ path: config.controlSocket, control, log: socketLog });
  closing.defer(() => socket.close());
}
