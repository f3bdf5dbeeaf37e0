import type { IndexAccess } from '../../node/indexing/index-access.ts';
import type { IndexReader } from '../../node/indexing/index-database.ts';
import { openReader } from '../../node/indexing/index-files.ts';
import { createDiskKeeper, type DiskKeeperOptions } from '../../node/indexing/disk-keeper.ts';
import { createIndexHost, type IndexHost } from '../../node/indexing/index-host.ts';
import { createIndexedSource } from '../../node/indexing/indexed-source.ts';
import type { HostReport } from '../../node/indexing/messages.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { createDiskConfirm, createDiskSource } from '../../node/recordings/disk-source.ts';
import type { Confirm } from '../../node/recordings/match.ts';
import type { RecordingSource } from '../../node/recordings/source.ts';
import { eventually } from './process.ts';

/** An index of a directory tree, kept by a host in this thread, with the source that searches by it. */
export interface HostedIndex extends AsyncDisposable {
  readonly host: IndexHost;
  readonly access: IndexAccess;
  /** Searches by the index; walks while there is none. */
  readonly source: RecordingSource;
  readonly base: RecordingSource;
  /** The last that the host has told. */
  report(): HostReport;
  ready(): Promise<HostReport>;
}

export interface HostedIndexOptions extends Partial<DiskKeeperOptions> {
  readonly root: string;
  /** Where the database lies. */
  readonly directory: string;
  readonly confirm?: Confirm;
  readonly maxRecordings?: number;
}

export function hostIndex({ root, directory, ...options }: HostedIndexOptions): HostedIndex {
  const { clock = systemClock, log = silentLog, confirm = createDiskConfirm(root) } = options;
  let last: HostReport | null = null;
  let reader: IndexReader | null = null;
  const host = createIndexHost({
    source: 'audio',
    directory,
    keeper: createDiskKeeper({ ...options, root, clock, log }),
    clock,
    log,
    report: (report) => {
      last = report;
    },
  });
  const readerOf = (serial: number): IndexReader => {
    if (reader?.serial !== serial) {
      reader?.[Symbol.dispose]();
      reader = openReader(directory, 'audio', serial);
    }
    return reader;
  };
  const access: IndexAccess = {
    settle: async (range, signal) => {
      const settled = await host.settle(range, signal);
      return settled === null ? null : { reader: readerOf(settled.serial), unreadable: settled.unreadable };
    },
    present: () => (last?.state === 'ready' && last.serial !== null ? readerOf(last.serial) : null),
    gone: (keys) => host.gone(keys),
    broken: () => host.rebuild(reader?.serial ?? 0),
  };
  const base = createDiskSource({ root, order: 'origin-dest', clock, log });
  const { maxRecordings } = options;
  const source = createIndexedSource({
    base,
    index: access,
    order: 'origin-dest',
    clock,
    log,
    confirm,
    ...(maxRecordings === undefined ? {} : { maxRecordings }),
  });
  host.start();
  return {
    host,
    access,
    source,
    base,
    report: () => {
      if (last === null) throw new Error('nothing was told yet');
      return last;
    },
    ready: () =>
      eventually('an index', () => (last?.state === 'ready' && last.progress === null ? last : null)),
    [Symbol.asyncDispose]: async () => {
      await host.close();
      reader?.[Symbol.dispose]();
    },
  };
}
