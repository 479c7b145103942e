import { setTimeout as delay } from 'node:timers/promises';
import { generateApiKey } from '@tollgate/domain/api-key';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Cluster, type Instance, startCluster } from './cluster.js';
import { type CheckAnswer, type EnvoyPeer, envoyPeer } from './envoy-peer.js';
import type { Key } from './operator.js';

const CALLERS = 4_000;
const CONNECTIONS = 4;
const OVERLOAD_MS = 3_000;
/** Its CPU is taken from it again and again, so that each round of its event loop is late on a machine of any speed. */
const STOPPED_MS = 40;
const RUNNING_MS = 4;

let cluster: Cluster;
let authz: Instance;
let key: Key;
let peers: EnvoyPeer[];

beforeAll(async () => {
  cluster = await startCluster({ authz: 1, env: { MAX_LOOP_DELAY: '2ms' } });
  [authz] = cluster.authz as [Instance];
  key = await cluster.operator.newcomer('enterprise');
  peers = await Promise.all(Array.from({ length: CONNECTIONS }, () => envoyPeer(authz.address)));
  return async () => {
    for (const peer of peers) peer.close();
    await cluster.close();
  };
});

test('an authz that is asked more than it can do says right or 503, never that a good key is bad, and is itself again at once', async () => {
  const [first] = peers as [EnvoyPeer];
  await until(async () => (await first.check(key.secret)).code === 'ok', 5_000, 'a new key');
  const answers = new Map<string, number>();
  const callers = { good: key.secret, unknown: generateApiKey('live'), without: undefined };
  await overload(Object.entries(callers), (who, { kind, status, code }) => {
    const answer = `${who}: ${kind} ${status} ${code}`;
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  });
  console.info('overload:', Object.fromEntries(answers));
  const right = [
    'good: ok_response 200 ok',
    'unknown: denied_response 403 invalid_api_key',
    'without: denied_response 401 missing_api_key',
  ];
  const shed = Object.keys(callers).map((who) => `${who}: error_response 503 authorization_unavailable`);
  expect([...answers.keys()].filter((answer) => ![...right, ...shed].includes(answer))).toEqual([]);
  expect(right.filter((answer) => !answers.has(answer))).toEqual([]);
  expect(shed.filter((answer) => answers.has(answer))).not.toEqual([]);
  const refused = shed.reduce((sum, answer) => sum + (answers.get(answer) ?? 0), 0);
  expect(await shedCount()).toBe(refused);

  const codes = [];
  for (let i = 0; i < 200; i++) codes.push((await first.check(key.secret)).code);
  expect(new Set(codes)).toEqual(new Set(['ok']));
  expect(await shedCount()).toBe(refused);
});

/** Every caller asks again as soon as it has its answer. */
async function overload(
  callers: readonly [who: string, secret: string | undefined][],
  onAnswer: (who: string, answer: CheckAnswer) => void,
): Promise<void> {
  const endMs = performance.now() + OVERLOAD_MS;
  const caller = async (_: unknown, n: number): Promise<void> => {
    const [who, secret] = callers[n % callers.length] as [string, string | undefined];
    const peer = peers[n % peers.length] as EnvoyPeer;
    while (performance.now() < endMs) onAnswer(who, await peer.check(secret));
  };
  await Promise.all([starve(endMs), ...Array.from({ length: CALLERS }, caller)]);
}

async function starve(endMs: number): Promise<void> {
  while (performance.now() < endMs) {
    authz.signal('SIGSTOP');
    await delay(STOPPED_MS);
    authz.signal('SIGCONT');
    await delay(RUNNING_MS);
  }
}

async function shedCount(): Promise<number> {
  const page = await authz.page('/metrics');
  return Number(/^tollgate_authz_decisions_total\{.*decision="shed".*\} (\d+)$/m.exec(page)?.[1]);
}
