import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { socketOf } from './docs/envoy-sockets.js';
import { type Block, blocksOf, type Kind, kindOf } from './docs/page-blocks.js';
import { patchedEnvoy } from './docs/patched-envoy.js';
import { runCommandExample } from './docs/run-command-example.js';
import { expectSuccess, runSession } from './docs/run-session.js';
import { newStory, type Story } from './docs/story.js';
import { openTerminal, type Terminal } from './docs/terminal.js';
import { type Gateway, PROJECT, startGateway } from './gateway.js';
import { type Operator, operate } from './operator.js';

/** In the order in which they are run: what the README makes is there for the others. */
const PAGES = ['README.md', ...markdownIn('docs'), 'envoy/README.md'];
const BLOCKS = PAGES.flatMap((page) => blocksOf(page));
/** The first secret that the README shows is that of the demo key. */
const DEMO_KEY = /\bsk_live_[a-z0-9]{32}\b/.exec(BLOCKS.map(({ text }) => text).join('\n'))?.[0] ?? '';
/** Requests in a row that were limited in time. */
const WARM_AFTER = 20;
/** Several commands, each in a process of its own. */
const BLOCK_DEADLINE_MS = 120_000;

/** Blocks that say of themselves that they are not run. One more is one more that nobody notices when it goes wrong. */
const NOT_RUN: Readonly<Record<string, number>> = {
  'README.md': 1,
  'docs/docker-compose.md': 3,
  'docs/migrating-from-envoyproxy-ratelimit.md': 2,
  'docs/operations.md': 1,
  'docs/request-path.md': 1,
  'docs/security-model.md': 1,
  'docs/your-own-envoy.md': 2,
};

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(PROJECT, folder)).filter((name) => name.endsWith('.md'));
  return names.toSorted().map((name) => `${folder}/${name}`);
}

test('every block of the pages is run or checked, or says why it is not', () => {
  expect(BLOCKS.filter((block) => kindOf(block) === undefined).map(({ at, info }) => `${at} ${info}`)).toEqual([]);
});

test('blocks that are not run are few, and known', () => {
  const notRun = BLOCKS.filter(({ notRun }) => notRun !== undefined);
  for (const { at, notRun: why } of notRun) console.info(`not run: ${at}: ${why}`);
  const counts: Record<string, number> = {};
  for (const { page } of notRun) counts[page] = (counts[page] ?? 0) + 1;
  expect(counts).toEqual(NOT_RUN);
});

describe('on one gateway, from the first page to the last,', () => {
  let gateway: Gateway;
  let operator: Operator;
  let terminal: Terminal;
  let story: Story;
  let addresses: ReadonlyMap<string, string>;

  beforeAll(async () => {
    gateway = await startGateway();
    operator = operate(gateway);
    terminal = await openTerminal(gateway.folder);
    story = newStory();
    story.learn(DEMO_KEY, gateway.apiKey);
    await warmUp();
    addresses = new Map([
      ['localhost:8080', new URL(gateway.gatewayUrl).host],
      ['127.0.0.1:50051', await socketOf(gateway.folder, 'authz')],
      ['127.0.0.1:8081', await socketOf(gateway.folder, 'ratelimit')],
    ]);
    return async () => {
      await operator.close();
      await gateway.close();
    };
  });

  /** Envoy lets a request pass whose limiter is silent for 50 ms, as the first of a process may be on a busy machine. */
  async function warmUp(): Promise<void> {
    const { secret } = await operator.newcomer();
    for (let inTime = 0; inTime < WARM_AFTER; ) {
      const { headers } = await gateway.ask('/hello', { headers: { 'x-api-key': secret } });
      inTime = headers['x-ratelimit-limit-minute'] === undefined ? 0 : inTime + 1;
    }
  }

  /** The addresses of the pages are those of a gateway on its usual ports; this one has others. */
  function here(text: string): string {
    return [...addresses].reduce((replaced, [page, real]) => replaced.replaceAll(page, real), text);
  }

  const save = (name: string, text: string): Promise<void> => writeFile(join(terminal.folder, name), text);

  async function succeed(command: string): Promise<string> {
    const ended = await terminal.run(command);
    expectSuccess(command, ended);
    return ended.printed;
  }

  async function validateEnvoy(yaml: string): Promise<void> {
    await save('checked.yaml', yaml);
    expect(await succeed('tollgate config validate --envoy checked.yaml')).toMatch(/Asked +Envoy 1\./);
  }

  const ways: Record<Kind, (block: Block) => Promise<unknown>> = {
    session: ({ text }) => runSession(here(text), terminal, story),
    command: ({ text }) => runCommandExample(text, terminal),
    routes: async ({ text }) => {
      await save('routes.yaml', text);
      await validateEnvoy(await succeed('tollgate config render --routes routes.yaml'));
    },
    rules: async ({ text }) => {
      await save('rules.yaml', text);
      await succeed('tollgate config validate --ratelimit rules.yaml');
    },
    envoy: ({ text }) => validateEnvoy(text),
    patches: ({ text }) => validateEnvoy(patchedEnvoy(text)),
    sql: ({ text }) => operator.query(story.real(text.replaceAll('DATABASE tollgate', 'DATABASE postgres'))),
    program: async ({ text }) => {
      await save('example.mjs', here(story.real(text)));
      const printed = await succeed('node example.mjs');
      expect(printed.trimEnd().split('\n')).toEqual([...text.matchAll(/ \/\/ → (.*)$/gm)].map(([, shown]) => shown));
    },
    // The fields of what is printed are held to those of docs/cli.md by the CLI's own tests.
    json: async ({ text }) => JSON.parse(text),
    'not run': async () => undefined,
  };

  const runnable = BLOCKS.filter((block) => !['not run', undefined].includes(kindOf(block)));
  test.each(runnable.map((block) => [block.at, kindOf(block), block] as const))(
    '%s (%s) does what the page shows',
    { timeout: BLOCK_DEADLINE_MS },
    async (_, kind, block) => {
      await ways[kind as Kind](block);
    },
  );
});
