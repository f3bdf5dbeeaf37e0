import { createDiskKeeper } from '../../node/indexing/disk-keeper.ts';
import { beginIndex } from '../../node/indexing/index-files.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';

/** `dying-build.ts ROOT DIRECTORY`: begins to build an index and is killed in the middle of it. */
const [root = '', directory = ''] = process.argv.slice(2);
const keeper = createDiskKeeper({ root, clock: systemClock, log: silentLog });
const builder = beginIndex(directory, 'audio');
await keeper.build(
  builder,
  ({ folders }) => {
    process.stdout.write(`${folders} folders\n`, () => process.kill(process.pid, 'SIGKILL'));
  },
  new AbortController().signal,
);
