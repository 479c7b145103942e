/** Starts one program: `node scripts/start.mjs standalone|authz|ratelimit|collector|writer|reconciler|cli [arguments]`. */
import { BUNDLES } from './bundles.mjs';
import { runBuilt } from './run-built.mjs';

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !(name in BUNDLES)) {
  console.error(`Name one of: ${Object.keys(BUNDLES).join(', ')}`);
  process.exit(2);
}
await runBuilt(name, args);
