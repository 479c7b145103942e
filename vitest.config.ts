import { defineConfig } from 'vitest/config';

const shared = { testTimeout: 60_000, hookTimeout: 180_000, pool: 'forks' as const };

export default defineConfig({
  test: {
    globalSetup: 'packages/testing/src/global-setup.ts',
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: 'parts',
          include: [
            '{test,deploy/test,protos/test,packages/*/test,*-service/test,usage-processor/test,cli/test,standalone/test}/**/*.test.ts',
          ],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // One gateway at a time, with nothing beside it: Envoy lets a request pass whose limiter is silent for 50 ms.
        test: {
          ...shared,
          name: 'e2e',
          include: ['{e2e,proof}/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
