import { defineConfig } from 'vitest/config';
import { pathWithDaemons } from './test/support/programs.ts';

/** Files tested at a time, on a machine of two cores. Unit tests also wait for timers and the disk. */
const UNIT_WORKERS = 3;
/** Suites on real servers start daemons. */
const REAL_WORKERS = 2;
const REAL_TIMEOUT_MS = 90_000;
const UNIT_TIMEOUT_MS = 15_000;

/** Files that put something else in the place of a module, or of the network: each has a process of its own. */
const ALONE = [
  'test/unit/delivery/s3-publisher.test.ts',
  'test/unit/listeners/health.test.ts',
  'test/unit/platform/set-aside.test.ts',
  'test/unit/queue/drops.test.ts',
  'test/unit/recordings/disk-walk.test.ts',
  'test/unit/recordings/s3-source.test.ts',
];

export default defineConfig({
  test: {
    retry: 0,
    restoreMocks: true,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          exclude: ALONE,
          // The others share what they import, which halves their time.
          isolate: false,
          maxWorkers: UNIT_WORKERS,
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          maxWorkers: UNIT_WORKERS,
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: UNIT_TIMEOUT_MS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          testTimeout: REAL_TIMEOUT_MS,
          hookTimeout: REAL_TIMEOUT_MS,
          teardownTimeout: REAL_TIMEOUT_MS,
          env: { PATH: pathWithDaemons() },
          maxWorkers: REAL_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
