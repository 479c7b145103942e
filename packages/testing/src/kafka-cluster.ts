import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stopInSteps } from '@tollgate/embedded/background-process';
import { freePort } from '@tollgate/embedded/free-port';
import { aClusterId, formatWith, type KafkaServer, serverSettings, startServer } from './kafka.js';
import { findKafkaLibraries } from './kafka-libraries.js';
import type { ServerSettings } from './kafka-security.js';
import { cacheFolder, newRunFolder } from './run-environment.js';

const BROKERS = 3;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 15_000 }] as const;

/**
 * Three brokers of one test's own, each a voter too. What is done to it is done to one of them, each time to the next: after
 * `kill()` and `start()` the next `kill()` hurts another. `start()` does not wait until its replicas have caught up.
 */
export async function startKafkaCluster(): Promise<KafkaServer> {
  const libraries = await findKafkaLibraries({ cacheFolder: cacheFolder(), log: console.info });
  const clusterId = aClusterId();
  const ports: { port: number; controllerPort: number }[] = [];
  for (let i = 0; i < BROKERS; i++) ports.push({ port: await freePort(), controllerPort: await freePort() });
  const voters = ports.map(({ controllerPort }, i) => `${i + 1}@127.0.0.1:${controllerPort}`).join(',');

  const brokers = await Promise.all(
    ports.map(async ({ port, controllerPort }, i) => {
      const { folder, runFolder } = await newRunFolder('kafka');
      const properties = join(folder, 'server.properties');
      await writeFile(properties, linesOf({ ...serverSettings(folder, port, controllerPort), ...memberSettings(i + 1, voters) }));
      await formatWith(libraries, folder, properties, clusterId, []);
      const start = () => startServer(libraries, { folder, runFolder, properties, port });
      return { folder, start, server: await start() };
    }),
  );
  let turn = 0;
  const hurt = () => brokers[turn % BROKERS] as (typeof brokers)[number];
  return {
    brokers: ports.map(({ port }) => `127.0.0.1:${port}`),
    certificateBrokers: [],
    pid: () => hurt().server.pid,
    start: async () => {
      const broker = hurt();
      broker.server = await broker.start();
      turn++;
    },
    stop: () => stopInSteps(hurt().server, STOP_STEPS),
    kill: async () => {
      hurt().server.signal('SIGKILL');
      await hurt().server.exited;
    },
    pause: () => hurt().server.signal('SIGSTOP'),
    resume: () => void hurt().server.signal('SIGCONT'),
    close: async () => {
      for (const { server, folder } of brokers) {
        server.signal('SIGKILL');
        await server.exited;
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

function linesOf(settings: ServerSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function memberSettings(nodeId: number, voters: string): ServerSettings {
  return {
    'node.id': nodeId,
    'controller.quorum.bootstrap.servers': '',
    'controller.quorum.voters': voters,
    'offsets.topic.replication.factor': BROKERS,
    'transaction.state.log.replication.factor': BROKERS,
    'transaction.state.log.min.isr': 2,
  };
}
