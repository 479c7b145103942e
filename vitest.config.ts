import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'protos/test/**/*.test.ts',
      '*-service/test/**/*.test.ts',
      'usage-processor/test/**/*.test.ts',
      'cli/test/**/*.test.ts',
      'standalone/test/**/*.test.ts',
      'e2e/**/*.test.ts',
    ],
    globalSetup: ['packages/testing/src/global-setup.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
  },
});
