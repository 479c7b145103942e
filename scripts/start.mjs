/** Starts one program: `node scripts/start.mjs standalone|authz|ratelimit|collector|writer|reconciler|upstream|cli [arguments]`. */
import { BUNDLES } from './bundles.mjs';
import { runBuilt } from './run-built.mjs';

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !(name in BUNDLES)) {
  console.error(`Name one of: ${Object.keys(BUNDLES).join(', ')}`);
  process.exit(2);
}
// For the stack traces in its log. The launcher of the CLI does without: it prints none, and reading the maps takes time.
process.setSourceMapsEnabled(true);
await runBuilt(name, args);
