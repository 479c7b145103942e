import { spawn } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '@tollgate/embedded/free-port';
import { startTimeOf } from '@tollgate/embedded/process-identity';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, newDataFolder, startGateway } from './gateway.js';
import type { Answer } from './http-client.js';
import { operate } from './operator.js';
import { startTraffic } from './traffic.js';
import { startUpstream, type Upstream } from './upstream.js';

/** What a kill -9 may cost: what Envoy had not sent on yet, and what had not reached the file. */
const AT_RISK_MS = 2_000;
const STORED_DEADLINE_MS = 5_000;

async function startInFolder(): Promise<{ first: Gateway; startAgain: () => Promise<Gateway>; upstream: Upstream }> {
  const folder = await newDataFolder();
  const upstream = await startUpstream();
  // The same port each time: whatever is left of the gateway before would be in the way.
  const env = { UPSTREAM_URL: upstream.url, GATEWAY_PORT: String(await freePort()) };
  const started: Gateway[] = [];
  onTestFinished(async () => {
    for (const gateway of started) await gateway.close();
    await upstream.close();
    await rm(folder, { recursive: true, force: true });
  });
  const start = async () => {
    const gateway = await startGateway({ folder, env });
    started.push(gateway);
    return gateway;
  };
  return { first: await start(), startAgain: start, upstream };
}

test('kill -9 in mid-traffic: no stored event is lost or doubled, no orphan is in the way, and the same key works', async () => {
  const { first, startAgain } = await startInFolder();
  const { secret, organizationId } = await newcomer(first);
  const beganMs = Date.now();
  const traffic = startTraffic(8, () => first.ask('/x', { headers: { 'x-api-key': secret } }));
  await until(() => Date.now() - beganMs > 2 * AT_RISK_MS && traffic.answers.length > 200, 30_000, 'traffic');
  const storedBefore = await usageOf(first, organizationId);
  const promised = await appendedEvents(first);
  const killedMs = Date.now();
  await first.kill();
  await traffic.stop();

  const orphans = await recordedProcesses(first.folder);
  expect(new Set(orphans.map(({ name }) => name))).toEqual(new Set(['envoy', 'postgres']));
  const bystander = await recordBystander(first.folder);
  const again = await startAgain();
  expect(again.stderr()).toMatch(/Ended (envoy and postgres|postgres and envoy), left behind by an earlier run\./);
  for (const { pid, startTime } of orphans) expect(await startTimeOf(pid)).not.toBe(startTime);
  expect(await startTimeOf(bystander.pid)).toBe(bystander.startTime);
  expect([again.apiKey, again.organizationId]).toEqual([first.apiKey, first.organizationId]);
  expect((await again.ask('/x')).status).toBe(200);

  const stored = await until(
    async () => {
      const events = await usageOf(again, organizationId);
      return events.length >= promised && events;
    },
    STORED_DEADLINE_MS,
    `${promised} events that were in the event log`,
  );
  expect(new Set(stored.map(({ event_id }) => event_id)).size).toBe(stored.length);
  const ids = new Set(stored.map(({ request_id }) => request_id));
  expect(ids.size).toBe(stored.length);
  expect(storedBefore.filter(({ request_id }) => !ids.has(request_id))).toEqual([]);
  const safe = traffic.answers.filter(({ status, atMs }) => status === 200 && atMs < killedMs - AT_RISK_MS);
  expect(safe.length).toBeGreaterThan(0);
  expect(safe.filter((answer) => !ids.has(idOf(answer)))).toEqual([]);
});

test('Ctrl-C in mid-traffic: no request is cut, and each that was answered is stored exactly once', async () => {
  const { first, startAgain, upstream } = await startInFolder();
  const { secret, organizationId } = await newcomer(first);
  let sent = 0;
  const traffic = startTraffic(8, async () => {
    const path = `/x?n=${sent++}`;
    return first.ask(path, { headers: { 'x-api-key': secret } }).catch((error) => {
      // A connection that nobody has accepted yet is refused, in whatever way; what the upstream has begun is not.
      const isCut = upstream.received.some((received) => received.path === path);
      throw isCut ? new Error(`${path} was cut`, { cause: error }) : error;
    });
  });
  await until(() => traffic.answers.length > 200, 30_000, 'traffic');
  const exit = await first.interrupt();
  await traffic.stop();
  expect(exit).toEqual({ code: 0, signal: null });
  expect(traffic.failures.filter(({ message }) => message.endsWith('was cut'))).toEqual([]);
  expect(new Set(traffic.answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(await recordedProcesses(first.folder)).toEqual([]);

  const again = await startAgain();
  const stored = await usageOf(again, organizationId);
  expect(new Set(stored.map(({ request_id }) => request_id))).toEqual(new Set(traffic.answers.map(idOf)));
  expect(stored).toHaveLength(traffic.answers.length);
});

test('Ctrl-C waits for the requests that the upstream is still at work on', async () => {
  const upstream = await startUpstream();
  const held: (() => void)[] = [];
  upstream.on('/slow', (_request, response) => void held.push(() => response.writeHead(200).end('done')));
  const gateway = await startGateway({ env: { UPSTREAM_URL: upstream.url } });
  onTestFinished(async () => {
    await gateway.close();
    await upstream.close();
  });
  const answers = Promise.all(Array.from({ length: 10 }, () => gateway.ask('/slow')));
  await until(() => held.length === 10);
  const exit = gateway.interrupt();
  await until(async () => {
    const ready = await gateway.ask('/health/ready').catch(() => undefined);
    return ready?.status !== 200;
  });
  for (const release of held) release();
  expect((await answers).map(({ status, body }) => `${status} ${body}`)).toEqual(Array(10).fill('200 done'));
  expect((await exit).code).toBe(0);
});

async function newcomer(gateway: Gateway) {
  const operator = operate(gateway);
  try {
    return await operator.newcomer('enterprise');
  } finally {
    await operator.close();
  }
}

async function usageOf(gateway: Gateway, organizationId: string) {
  const operator = operate(gateway);
  try {
    return await operator.usage(organizationId);
  } finally {
    await operator.close();
  }
}

/** How many events the event log has taken: from then on they are promised. */
async function appendedEvents(gateway: Gateway): Promise<number> {
  const file = await gateway.gatewayFile();
  const metrics = await (await fetch(`${file?.services['collector']}/metrics`)).text();
  const count = /^tollgate_usage_events_total\{.*stage="produced".*\} (\d+)/m.exec(metrics)?.[1];
  if (count === undefined) throw new Error(`no count of events in:\n${metrics}`);
  return Number(count);
}

async function recordedProcesses(folder: string): Promise<{ name: string; pid: number; startTime: string }[]> {
  const records = join(folder, 'processes');
  const files = (await readdir(records)).filter((file) => file.endsWith('.json'));
  return Promise.all(files.map(async (file) => JSON.parse(await readFile(join(records, file), 'utf8'))));
}

/** A stranger's process that has got the pid of one of ours since. */
async function recordBystander(folder: string): Promise<{ pid: number; startTime: string }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const startTime = (await startTimeOf(pid)) ?? '';
  const record = { name: 'envoy', pid, startTime: `${startTime}0`, stopSignal: 'SIGTERM' };
  await writeFile(join(folder, 'processes', `${pid}.json`), JSON.stringify(record));
  return { pid, startTime };
}

function idOf({ headers }: Answer): string {
  return String(headers['x-request-id']);
}
