/** `npm run bench -- [name] [options]`: a question that is answered by measuring. Each writes its section of bench/results.md. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import esbuild from 'esbuild';
import { build } from './build.mjs';
import { bundleOptions, DIST, ROOT } from './bundle-options.mjs';

const BENCHES = {
  gateway: 'what it costs beside Envoy alone; [--rounds 5] [--seconds 6] [--tcp] [--upstream envoy] [--profile folder]',
  steps: 'what each part of it costs, and other arrangements; [--rounds 3] [--seconds 4]',
  latency: 'how much later answers come than from Envoy alone; [--rounds 3] [--seconds 10]',
  heap: 'which heap suits authz and ratelimit; [--rounds 5] [--seconds 10] [--rate 1000]',
  overload: 'what authz does with more calls than it can serve',
  'key-memory': 'what a cached key takes',
  ledger: 'what storing usage costs beside a bare COPY; [--rounds 20] [--stored 1000000] [--database URL]',
  decisions: "what a rate-limit decision costs beside envoyproxy/ratelimit's; [--rounds 5] [--seconds 4], RATELIMIT_PEER",
  'redis-faults': 'how late ratelimit is while Redis is in trouble; [--rate 500] [--seconds 15] [--stopped 60]',
  freshness: 'how soon `usage show` counts a request; [--seconds 60] [--rate 1000]',
  writer: 'how fast usage comes from Kafka into the table; [--rounds 5] [--events 200000]',
  collector: "what an access-log entry costs up to Kafka's word; [--rounds 5] [--entries 100000] [--rate 5000]",
  starts: 'how long the CLI, each service and `npm start` take to start; [--rounds 7]',
  'kafka-away': 'what the collector does while Kafka is away; [--seconds 1800]',
};
const HELP = `npm run bench -- [name] [options]

Answers a question by measuring, and writes its section of bench/results.md. Without a name: gateway.

${Object.entries(BENCHES)
  .map(([bench, question]) => `  ${bench.padEnd(14)}${question}`)
  .join('\n')}
`;
/** Programs that a bench starts. */
const HELPERS = ['check-driver'];

const [first = '', ...others] = process.argv.slice(2);
const isNamed = first !== '' && !first.startsWith('-');
const name = isNamed ? first : 'gateway';
if (process.argv.includes('--help')) {
  console.info(HELP);
  process.exit(0);
}
if (!Object.hasOwn(BENCHES, name)) {
  console.error(`There is no bench ${JSON.stringify(name)}.\n\n${HELP}`);
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
