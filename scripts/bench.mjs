/**
 * `npm run bench -- [name] [options]`: a question that is answered by measuring. Each writes its section of bench/results.md.
 * - `gateway` (if none is named): what it costs beside Envoy alone; `[--rounds 5] [--seconds 6] [--tcp] [--profile folder]`
 * - `steps`: what each part of it costs, and other arrangements; `[--rounds 3] [--seconds 4]`
 * - `latency`: how much later answers come than from Envoy alone; `[--rounds 3] [--seconds 10]`
 * - `overload`: what authz does with more calls than it can serve
 * - `key-memory`: what a cached key takes
 * - `ledger`: what storing usage costs beside a bare COPY; `[--rounds 20] [--stored 1000000] [--database URL]`, such as one with TimescaleDB
 * - `decisions`: what a rate-limit decision costs beside envoyproxy/ratelimit; `[--rounds 5] [--seconds 4]`, RATELIMIT_PEER
 * - `redis-faults`: how late ratelimit is while Redis is slow, stopped or dead; `[--rate 500] [--seconds 15] [--stopped 60]`
 * - `freshness`: how soon `usage show` counts a request; `[--seconds 60] [--rate 1000]`
 * - `writer`: how fast usage comes from Kafka into the table, beside a bare COPY; `[--rounds 5] [--events 200000]`
 * - `collector`: what an access-log entry costs, from the stream to Kafka's word; `[--rounds 5] [--entries 100000] [--rate 5000]`
 * - `starts`: how long the CLI, each service and `npm start` take to start; `[--rounds 7]`
 * - `kafka-away`: what the collector does while Kafka is away; `[--seconds 1800]`
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import esbuild from 'esbuild';
import { build } from './build.mjs';
import { bundleOptions, DIST, ROOT } from './bundle-options.mjs';

const BENCHES = [
  'gateway',
  'steps',
  'latency',
  'overload',
  'key-memory',
  'ledger',
  'decisions',
  'redis-faults',
  'kafka-away',
  'freshness',
  'writer',
  'collector',
  'starts',
];
/** Programs that a bench starts. */
const HELPERS = ['check-driver'];

const [first = '', ...others] = process.argv.slice(2);
const isNamed = first !== '' && !first.startsWith('-');
const name = isNamed ? first : 'gateway';
if (!BENCHES.includes(name)) {
  console.error(`There is no bench ${JSON.stringify(name)}: ${BENCHES.join(', ')}.`);
  process.exit(2);
}
if (isNamed) process.argv.splice(2, process.argv.length, ...others);

// What is measured is the product as it is built; a bench itself is a program beside it.
await build();
await esbuild.build({
  ...bundleOptions(),
  entryPoints: [name, ...HELPERS].map((each) => ({ in: join(ROOT, 'bench', `${each}.ts`), out: `bench-${each}` })),
  splitting: false,
  metafile: false,
  write: true,
});
process.setSourceMapsEnabled(true);
await import(pathToFileURL(join(DIST, `bench-${name}.js`)).href);
