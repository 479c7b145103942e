import { bodyRows, type Section, section } from './results.js';

/** docs/capacity.md: what of bench/results.md somebody needs who plans machines. No figure of it is written by hand. */
export function capacityPage(results: string): string {
  const gateway = section(results, 'What does the gateway cost beside Envoy alone?');
  const decisions = section(results, 'What does a rate-limit decision cost?');
  const ledger = section(results, 'What does storing usage cost beside a bare COPY?');
  const keys = section(results, 'What does a cached key take?');
  const parts = bodyRows(gateway).filter(([name = '']) => SCALING[name] !== undefined);
  return [
    HEAD,
    '| part | CPU of a request, µs | requests a second for a core of it | more of it |',
    '|---|---:|---:|---|',
    ...parts.map(([name = '', , , cost = '']) => `| ${name} | ${cost} | ${perSecond(cost)} | ${SCALING[name]} |`),
    `\n${sourceOf(gateway)} ${GATEWAY_NOTE}`,
    '\n## Limits\n',
    '| limits of a request | ratelimit, µs | Redis, µs |',
    '|---|---:|---:|',
    ...bodyRows(decisions)
      .filter(([name = '']) => !name.startsWith('envoyproxy/'))
      .map(([name, limiter, redis]) => `| ${name} | ${limiter} | ${redis} |`),
    `\n${sourceOf(decisions)}`,
    '\n## Usage\n',
    '| events a transaction | stored a second by one writer |',
    '|---:|---:|',
    ...bodyRows(ledger)
      .filter(([way]) => way === 'storeUsage')
      .map(([, batch, rate]) => `| ${batch} | ${rate} |`),
    `\n${sourceOf(ledger)} ${USAGE_NOTE}`,
    '\n## Memory of keys\n',
    '| keys cached | bytes a key | resident bytes a key |',
    '|---:|---:|---:|',
    ...bodyRows(keys).map(([count, bytes, resident]) => `| ${count} | ${bytes} | ${resident} |`),
    `\n${sourceOf(keys)}\n`,
  ].join('\n');
}

const HEAD = `<!-- Made from bench/results.md: npm run docs -->
# Capacity

What one core of each part is worth, from the CPU time that a request took: 1,000,000 µs divided by it. **Measured on two cores that Envoy, the services, the stores and
the load generator shared**, so these are figures to begin with and no promise for your machines: \`npm run bench\` measures yours. More than one machine was not measured.

Plan for half of it: above that the p99 rises (see [bench/results.md](../bench/results.md)), and the other instance must carry what one drops.

## A request
`;

const SCALING: Readonly<Record<string, string>> = {
  Envoy: 'a worker thread a core; more gateways, each with its own `node.id`',
  authz: 'one core a process; more processes, each an address of `--authz`',
  ratelimit: 'one core a process; more processes, and `RATELIMIT_INSTANCES` says how many',
  Redis: 'one core; then a cluster, which parts the organizations',
  collector: 'one core a process; more with Kafka, each with its own `DATA_DIR`',
  writer: 'one with files; with Kafka up to one a partition',
  PostgreSQL: 'a larger machine; usage apart from the rest with `USAGE_DATABASE_URL`',
};

const GATEWAY_NOTE = 'Limits in Redis, one minute and one day; usage stored in PostgreSQL; median of the rounds (least–most).';
const USAGE_NOTE = 'Rows of several organizations in plain PostgreSQL, all new.';

/** Of `115 (106–137)`. */
function perSecond(cost: string): string {
  return Math.floor(1_000_000 / Number.parseFloat(cost)).toLocaleString('en-US');
}

function sourceOf({ facts }: Section): string {
  return `Measured ${facts['date']} at ${facts['commit']}, ${facts['machine']}: ${facts['command']}.`;
}
