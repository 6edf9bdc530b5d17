import { defineConfig } from 'vitest/config';

const ONE_MINUTE = 60_000;
const FIVE_MINUTES = 300_000;
/** These end what hangs. No test is about how long it takes, and a busy machine may take many times as long as another. */
const PATIENT = {
  testTimeout: FIVE_MINUTES,
  hookTimeout: FIVE_MINUTES,
  expect: { poll: { timeout: ONE_MINUTE, interval: 20 } },
};

/**
 * unit: no Docker, seconds. integration: real Docker and MySQL, one file at a time since they share the host. gvisor: the
 * same with gVisor as a runtime of Docker. e2e: a real daemon with its clients. hostile: programs that attack it, on each
 * engine. All but the first run what was built: worker threads need built files.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          ...PATIENT,
          testTimeout: ONE_MINUTE,
          hookTimeout: ONE_MINUTE,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/gvisor/**'],
          fileParallelism: false,
          ...PATIENT,
        },
      },
      {
        test: {
          name: 'gvisor',
          include: ['test/integration/gvisor/**/*.test.ts'],
          fileParallelism: false,
          ...PATIENT,
        },
      },
      {
        test: {
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          fileParallelism: false,
          ...PATIENT,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          ...PATIENT,
        },
      },
    ],
  },
});
