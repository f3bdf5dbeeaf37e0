import { statSync } from 'node:fs';
import type { SourceName } from '../../protocol/job.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { IndexProgress, IndexState } from '../recordings/recording-index.ts';
import type { IndexWriter } from './index-database.ts';
import type { BuildProgress } from './keeper.ts';
import type { HostReport } from './messages.ts';

const REPORT_EVERY_MS = 500;
const LOG_EVERY_MS = 5_000;
export const WALKING = 'requests are answered by searching the source itself until then';

/** How an index is, as its host tells it. */
export class HostStatus {
  state: IndexState = 'starting';
  message = 'it has just been started';
  progress: IndexProgress | null = null;
  builtAt: string | null = null;
  sweptAt: string | null = null;
  auditedAt: string | null = null;
  /** Has the host report how it is. */
  readonly tell: () => void;

  constructor(tell: () => void) {
    this.tell = tell;
  }

  become(state: IndexState, message: string): void {
    this.state = state;
    this.message = message;
    this.tell();
  }

  /** A build begins; what it calls as it goes on. */
  begin(
    expectedFiles: number | null,
    { source, clock, log }: { readonly source: SourceName; readonly clock: Clock; readonly log: Log },
  ): BuildProgress {
    const begunMs = clock.monotonicMs();
    let toldMs = begunMs;
    let loggedMs = begunMs;
    this.progress = { files: 0, folders: 0, expectedFiles, elapsedMs: 0 };
    if (this.state === 'ready') this.become('ready', 'it is built anew beside the one in use');
    else this.become('building', `it is built; ${WALKING}`);
    return (done) => {
      const nowMs = clock.monotonicMs();
      this.progress = { ...done, expectedFiles, elapsedMs: Math.round(nowMs - begunMs) };
      if (nowMs - toldMs >= REPORT_EVERY_MS) {
        toldMs = nowMs;
        this.tell();
      }
      if (nowMs - loggedMs < LOG_EVERY_MS) return;
      loggedMs = nowMs;
      log.info('building the index', { source, ...done, expectedFiles: expectedFiles ?? undefined });
    };
  }

  of(writer: IndexWriter | null, watched: number): HostReport {
    const { state, message, progress, builtAt, sweptAt, auditedAt } = this;
    const databaseBytes = writer === null ? 0 : bytesOf(writer.path);
    const serial = writer?.serial ?? null;
    return {
      state,
      message,
      ...countsOf(writer),
      watched,
      databaseBytes,
      progress,
      builtAt,
      sweptAt,
      auditedAt,
      serial,
    };
  }
}

function countsOf(writer: IndexWriter | null): { readonly files: number; readonly folders: number } {
  try {
    return writer?.counts() ?? { files: 0, folders: 0 };
  } catch {
    return { files: 0, folders: 0 }; // a damaged index: what next uses it will say so
  }
}

/** Of the database and its log. */
function bytesOf(path: string): number {
  const sizes = [path, `${path}-wal`].map((each) => statSync(each, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}
