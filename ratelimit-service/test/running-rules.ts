import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@tollgate/service-kit/log';
import { onTestFinished } from 'vitest';
import { readConfig } from '../src/config.js';
import { startRateLimitService } from '../src/service.js';
import { envoyClient } from './envoy-client.js';

export interface RunningRules {
  address: string;
  client: Awaited<ReturnType<typeof envoyClient>>;
  /** Asks the domain `shop` for descriptors written `key=value key=value`, at the cost of one. */
  ask(...descriptors: string[]): ReturnType<Awaited<ReturnType<typeof envoyClient>>['ask']>;
  /** Replaces the file of rules. */
  write(text: string): Promise<void>;
  page(path: string): Promise<{ status: number; text: string }>;
}

/** The limiter with these rules alone: no database. `env` names the store. */
export async function runningRules(text: string, env: Record<string, string>): Promise<RunningRules> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-rules-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'rules.yaml');
  await writeFile(path, text);
  const listen = { RATELIMIT_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', RATELIMIT_STORE_TIMEOUT: '2s' };
  const config = readConfig({ ...listen, RATELIMIT_CONFIG: path, ...env });
  const service = await startRateLimitService(config, { log: createLogger({ service: 'ratelimit', level: 'silent' }) });
  onTestFinished(() => service.close());
  await service.ready;
  const client = await envoyClient(service.address);
  return {
    address: service.address,
    client,
    ask: (...descriptors) =>
      client.ask({ domain: 'shop', descriptors: descriptors.map((each) => ({ entries: entriesOf(each) })) }, 'stream-1'),
    write: (next) => writeFile(path, next),
    async page(of) {
      const response = await fetch(`http://${service.adminAddress}${of}`);
      return { status: response.status, text: await response.text() };
    },
  };
}

export function entriesOf(descriptor: string): { key: string; value: string }[] {
  return descriptor.split(' ').map((pair) => {
    const at = pair.indexOf('=');
    return { key: pair.slice(0, at), value: pair.slice(at + 1) };
  });
}
