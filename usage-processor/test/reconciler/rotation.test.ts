import { randomUUID } from 'node:crypto';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import {
  allowGoodKey,
  GOOD_KEY,
  startFakeServices,
  startFakeUpstream,
} from '../../../packages/envoy-config/test/fake-services.js';
import { startGateway } from '../../../packages/envoy-config/test/live-gateway.js';
import { servicesAreHealthy } from '../../../packages/envoy-config/test/live-world.js';
import { reopenLogs } from '../../src/reconciler/envoy/admin.js';
import { followLog } from '../../src/reconciler/file/follow-log.js';
import { deleteOldLogs, type Rotation, rotateLog } from '../../src/reconciler/file/rotate-log.js';
import { KEY_ID } from '../an-ended-request.js';
import { aLine, aWitness } from './a-witness.js';

const DEADLINE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** A real Envoy that writes a file log for everyone, on behalf of this organization. */
async function aGateway(file: string, organizationId: string) {
  const services = await startFakeServices();
  services.decide.check = (asked) => {
    const answer = allowGoodKey(asked);
    return { ...answer, dynamicMetadata: { organization_id: organizationId, key_id: KEY_ID, environment: 'live' } };
  };
  const upstream = await startFakeUpstream({});
  const { authz, ratelimit, usage } = services;
  const gateway = await startGateway({
    ...{ authz: [authz], ratelimit: [ratelimit], usage: [usage], accessLogFile: file },
    routes: [{ name: 'all', prefix: '/', upstream: upstream.url }],
  });
  onTestFinished(async () => {
    await gateway.close();
    await services.close();
    await upstream.close();
  });
  await servicesAreHealthy(gateway, ['authz', 'ratelimit']);
  return gateway;
}

test(
  'a log that is rotated again and again under load loses no line, and rotated logs go when they are checked',
  async () => {
    const witness = await aWitness();
    const organizationId = randomUUID();
    const gateway = await aGateway(witness.file, organizationId);
    await witness.writer();
    const env = { ENVOY_ADMIN_URL: gateway.adminUrl, USAGE_FILE_MAX_SIZE: '20KiB', USAGE_FILE_KEEP: '1s' };
    const reconciler = await witness.reconciler({}, env);
    const rotated = async () => (await readdir(witness.folder)).filter((name) => name.startsWith('usage.jsonl.'));
    const seen = new Set<string>();
    const ids = new Set<string>();
    await until(
      async () => {
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => gateway.ask('/', { headers: { 'x-api-key': GOOD_KEY } })),
        );
        for (const { headers } of answers) ids.add(String(headers['x-request-id']));
        for (const name of await rotated()) seen.add(name);
        return seen.size >= 4;
      },
      DEADLINE_MS,
      'four rotations',
    );
    const storedIds = async () => {
      const rows = await witness.db.query<{ id: string }>(
        'SELECT request_id AS id FROM usage_events WHERE organization_id = $1',
        [organizationId],
      );
      return rows.map(({ id }) => id);
    };
    await until(async () => (await storedIds()).length >= ids.size, 2 * DEADLINE_MS, 'every request stored');
    expect(new Set(await storedIds())).toEqual(ids);
    expect(await storedIds()).toHaveLength(ids.size);
    await until(async () => (await rotated()).length === 0, 2 * DEADLINE_MS, 'checked logs to be deleted');
    expect(await (await fetch(`http://${reconciler.adminAddress}/metrics`)).text()).toMatch(
      /tollgate_usage_witness_lost_bytes_total\S* 0\n/,
    );
  },
  4 * DEADLINE_MS,
);

async function aRotation(changes: Partial<Rotation> = {}) {
  const { folder } = await newRunFolder('rotation');
  const path = join(folder, 'usage.jsonl');
  const lost: number[] = [];
  const rotation: Rotation = {
    ...{ path, maxBytes: 1000, keepMs: HOUR_MS, maxTotalBytes: 1 << 30 },
    reopenLogs: async () => {},
    onLost: (bytes) => void lost.push(bytes),
    ...changes,
  };
  return { folder, path, lost, rotation };
}

const NOW = new Date('2026-11-23T09:59:48.123Z');

test('a log below its size stays, and one that Envoy was not told of is told of again', async () => {
  const asked: string[] = [];
  const refuse = async () => {
    asked.push('refused');
    throw new Error('Envoy is not there');
  };
  const { folder, path, rotation } = await aRotation({ reopenLogs: refuse });
  await writeFile(path, 'x'.repeat(999));
  await rotateLog(rotation, NOW);
  expect(asked).toEqual([]);
  await writeFile(path, 'x'.repeat(1000));
  await expect(rotateLog(rotation, NOW)).rejects.toThrow('not there');
  expect(await readdir(folder)).toEqual(['usage.jsonl.20261123T095948123Z']);
  await rotateLog({ ...rotation, reopenLogs: async () => void asked.push('done') }, NOW);
  expect(asked).toEqual(['refused', 'done']);
});

test('an Envoy that does not answer is an error', async () => {
  await expect(reopenLogs('http://127.0.0.1:1')).rejects.toThrow();
});

test('only rotated logs of its own are deleted: when checked and old, or unchecked where they take too much room', async () => {
  const { folder, path, lost, rotation } = await aRotation();
  const names = ['.20261123T095948123Z', '.20261123T105948123Z', '.1', ''];
  for (const [i, name] of names.entries()) {
    await writeFile(`${path}${name}`, `${aLine(randomUUID(), i)}\n`);
    const at = (NOW.getTime() - (10 - i) * HOUR_MS) / 1000;
    await utimes(`${path}${name}`, at, at);
  }
  const log = followLog(path, new Map(), () => {});
  const offsets = new Map<string, number>();
  await log.read({ line: () => {}, readTo: (fileId, offset) => void offsets.set(fileId, offset), isFull: () => false });
  const left = async () => (await readdir(folder)).sort();
  await deleteOldLogs(log, rotation, NOW.getTime());
  expect(await left()).toHaveLength(4);
  const [oldest] = await log.files();
  log.keep(new Map([[oldest?.fileId ?? '', offsets.get(oldest?.fileId ?? '') ?? 0]]));
  await deleteOldLogs(log, rotation, NOW.getTime());
  expect(await left()).toEqual(['usage.jsonl', 'usage.jsonl.1', 'usage.jsonl.20261123T105948123Z']);
  expect(lost).toEqual([]);
  const { size } = await stat(`${path}.20261123T105948123Z`);
  await deleteOldLogs(log, { ...rotation, maxTotalBytes: size - 1 }, NOW.getTime());
  expect(await left()).toEqual(['usage.jsonl', 'usage.jsonl.1']);
  expect(lost).toEqual([size]);
});

test('a log that is gone before it was read is told of with its bytes, once', async () => {
  const { path } = await aRotation();
  const lost: number[] = [];
  const line = `${aLine(randomUUID(), 1)}\n`;
  await writeFile(path, line.repeat(4000));
  const log = followLog(path, new Map(), (bytes) => void lost.push(bytes));
  const offsets: number[] = [];
  const look = (isFull: boolean) =>
    log.read({ line: () => {}, readTo: (_, offset) => void offsets.push(offset), isFull: () => isFull });
  expect(await look(true)).toBe(false);
  await writeFile(path, `${aLine(randomUUID(), 3)}\n`);
  for (let i = 0; i < 10; i++) await look(false);
  expect(lost).toEqual([4000 * line.length - (offsets[0] ?? 0)]);
});
