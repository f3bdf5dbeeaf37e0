import { defineConfig } from 'vitest/config';
import { pathWithDaemons } from './test/support/programs.ts';

/** Files tested at a time. Suites on real servers start daemons: more is not what a small machine bears. */
const WORKERS = 2;
const REAL_TIMEOUT_MS = 90_000;
const UNIT_TIMEOUT_MS = 15_000;

export default defineConfig({
  test: {
    retry: 0,
    restoreMocks: true,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          maxWorkers: WORKERS,
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
          maxWorkers: WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
