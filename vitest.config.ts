import { defineConfig } from 'vitest/config';

const FIVE_MINUTES = 300_000;

/**
 * unit: no Docker, seconds. integration: real Docker and MySQL, one file at a time since they share the host. gvisor: the
 * same with gVisor as a runtime of Docker. e2e: a real daemon with its clients. hostile: programs that attack it, on each
 * engine. All but the first run what was built: worker threads need built files.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/gvisor/**'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: FIVE_MINUTES,
        },
      },
      {
        test: {
          name: 'gvisor',
          include: ['test/integration/gvisor/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: FIVE_MINUTES,
        },
      },
      {
        test: {
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: FIVE_MINUTES,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: FIVE_MINUTES,
        },
      },
    ],
  },
});
