/** Every program that is built: its name, and the file it starts from. */
export const BUNDLES = {
  authz: 'authz-service/src/main.ts',
  ratelimit: 'ratelimit-service/src/main.ts',
  collector: 'usage-processor/src/collector/main.ts',
  writer: 'usage-processor/src/writer/main.ts',
  reconciler: 'usage-processor/src/reconciler/main.ts',
  standalone: 'standalone/src/main.ts',
  upstream: 'standalone/src/demo-upstream/main.ts',
  cli: 'cli/src/main.ts',
};
