/** The stack of docker-compose.yml on this machine, without Docker: the image is a folder, containers are processes. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess } from '@tollgate/embedded/background-process';
import { administer, databaseUrl } from '@tollgate/testing/administer';
import { startDatabaseServer } from '@tollgate/testing/database';
import { envoyPath } from '@tollgate/testing/envoy';
import { needRunVariable, newRunFolder } from '@tollgate/testing/run-environment';
import { readProjectFile } from '../../test/architecture/project-files.js';
import { copyBuildContext } from './build-context.js';
import { readComposeFile } from './compose-file.js';
import { type ComposeRunner, createComposeRunner, type StandIn } from './compose-runner.js';
import { type BuiltImage, buildImage } from './dockerfile.js';
import { startKafkaOfCompose } from './kafka-of-compose.js';
import { findPlaces, type Places, serviceOf } from './places.js';
import { passwordPath, roleSql } from './role-script.js';

export interface Stack {
  image: BuiltImage;
  runner: ComposeRunner;
  gatewayUrl: string;
  envoyMetricsUrl: string;
  /** The file that Envoy runs with. */
  envoyConfig: string;
  /** The passwords that were made, as they stand in the volumes. */
  secrets(): Promise<string[]>;
  /** What PostgreSQL says of the role that the services log in with. */
  roleFacts(): Promise<unknown>;
  close(): Promise<void>;
}

const SECRETS = [
  ['postgres-secrets', 'superuser-password'],
  ['postgres-secrets', 'tollgate-password'],
  ['redis-secrets', 'password'],
  ['grafana-secrets', 'admin-password'],
] as const;

/** Builds the image, shows it, and brings up all that has no profile. */
export async function startStack(onImage: (root: string) => Promise<void>): Promise<Stack> {
  const compose = readComposeFile();
  const { folder, runFolder: recordIn } = await newRunFolder('compose');
  const database = await startDatabaseServer();
  const given = new Map([['postgres:5432', Number(new URL(database.url).port)]]);
  const places = await findPlaces(compose, join(folder, 'volumes'), given);
  // It is slow to start, so that it starts beside the build.
  const kafka = startKafka(places, folder, recordIn);
  const [image, envoy] = await Promise.all([buildInside(folder), envoyPath(), kafka]);
  await onImage(image.root);
  const options = { compose, image, places, folder, recordIn, programs: { envoy } };
  const standIns = {
    secrets: { after: () => places.moveFile('migrate', 'database-secrets', 'url') },
    'envoy-config': { after: () => places.moveFile('envoy', 'envoy-config', 'envoy.yaml') },
    postgres: { start: () => makeDatabase(database.url, places), hasNoHealthCheckHere: true },
    redis: redisStandIn(places, folder, recordIn),
    kafka: { start: () => kafka },
    // Nothing but a network, of which there is only one here.
    gateway: { start: async () => undefined },
  } satisfies Record<string, StandIn>;
  const runner = await createComposeRunner({ ...options, standIns });
  const close = async () => {
    await runner.close();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const services = Object.entries(compose.services).filter(([, { profiles }]) => profiles === undefined);
    await Promise.all(services.map(([name]) => runner.up(name)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    image,
    runner,
    gatewayUrl: `http://127.0.0.1:${places.portOf('envoy', '0.0.0.0', 8080)}`,
    envoyMetricsUrl: `http://127.0.0.1:${places.portOf('prometheus', 'envoy', 9106)}`,
    envoyConfig: join(places.folderOf('envoy-config'), 'envoy.yaml'),
    secrets: () => Promise.all(SECRETS.map(([volume, name]) => readFile(join(places.folderOf(volume), name), 'utf8'))),
    roleFacts: async () => {
      const url = await readFile(join(places.folderOf('database-secrets'), 'url'), 'utf8');
      const facts = 'SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user';
      return (await administer(url, (session) => session.query(facts)))[0];
    },
    close,
  };
}

async function buildInside(folder: string): Promise<BuiltImage> {
  const context = join(folder, 'context');
  await copyBuildContext(context);
  return buildImage(readProjectFile('deploy/Dockerfile').text, context, folder);
}

/** What the image does at its first start: it makes the database, and then runs the script that is mounted. */
async function makeDatabase(serverUrl: string, places: Places): Promise<undefined> {
  const sql = roleSql(await readFile(places.here('postgres', passwordPath()), 'utf8'));
  await administer(serverUrl, (session) => session.query('CREATE DATABASE tollgate'));
  await administer(databaseUrl(serverUrl, 'tollgate'), (session) => session.query(sql));
}

/** Its own command, on a port and a folder of this machine. */
function redisStandIn(places: Places, folder: string, recordIn: string): StandIn {
  return {
    // redis-cli need not be there; the health of ratelimit tells whether this Redis lets it in.
    hasNoHealthCheckHere: true,
    start: async () => {
      const [, ...args] = (serviceOf(readComposeFile(), 'redis').command ?? []).map((word) => places.here('redis', word));
      const port = String(places.portOf('ratelimit', 'redis', 6379));
      return startBackgroundProcess({
        command: needRunVariable('TEST_REDIS_SERVER'),
        args: [...args, '--port', port, '--bind', '127.0.0.1', '--dir', places.folderOf('redis-data')],
        logFile: join(folder, 'redis.log'),
        hasOwnGroup: true,
        record: { folder: recordIn, name: 'redis' },
      });
    },
  };
}

async function startKafka(places: Places, folder: string, recordIn: string): Promise<BackgroundProcess> {
  const environment = Object.entries(serviceOf(readComposeFile(), 'kafka').environment ?? {});
  const here = Object.fromEntries(environment.map(([name, value]) => [name, places.here('kafka', value)]));
  await mkdir(join(folder, 'kafka'), { recursive: true });
  await places.release('kafka');
  return startKafkaOfCompose(here, join(folder, 'kafka'), recordIn);
}
