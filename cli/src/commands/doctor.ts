import { readGatewayFile } from '@tollgate/embedded/gateway-file';
import type { KafkaConnectionSettings } from '@tollgate/service-kit/kafka-settings';
import { Unhappy } from '../cli-error.js';
import type { Command, Context } from '../command.js';
import type { CliConfig } from '../config.js';
import { databasesOf } from '../databases.js';
import { checkChangeFeed, checkMigrations, checkServer } from '../doctor/check-database.js';
import { checkEventLog, checkReplays } from '../doctor/check-event-log.js';
import { checkGateway } from '../doctor/check-gateway.js';
import { checkKafka } from '../doctor/check-kafka.js';
import { checkRedis } from '../doctor/check-redis.js';
import { checkWitnesses } from '../doctor/check-witness.js';
import { type Finding, fail, findingRow, ok, warn } from '../doctor/finding.js';
import { failureOf } from '../failure.js';
import { column, type View } from '../view.js';

export const doctor: Command = {
  noun: 'doctor',
  verb: '',
  describe:
    'Looks at everything that the gateway needs, and says what to do about what is wrong. Exit code 1 where something is.',
  example: 'tollgate doctor',
  formats: ['table', 'json', 'csv'],
  async run(_args, context) {
    const findings: Finding[] = [];
    for await (const finding of examine(context)) findings.push(finding);
    context.output.list(findings.map(findingRow), VIEW);
    for (const { check, nextStep } of findings) if (nextStep !== undefined) context.output.say(`${check}: ${nextStep}`);
    if (findings.some(({ status }) => status === 'fail')) throw new Unhappy();
  },
};

/** In an order in which the first failure is the first to repair. */
async function* examine(context: Context): AsyncGenerator<Finding> {
  const config = await settled('settings', 'Correct the settings, and run it again.', () => context.config());
  if ('check' in config) return yield config;
  yield ok('settings', 'readable');
  const clock = yield* examineDatabase(context);
  if (config.redis !== undefined) yield* await checkRedis(config.redis);
  if (config.kafka !== undefined) yield* await examineKafka(config.kafka, config.kafkaTopic);
  yield* examineGateway(config);
  if (clock !== undefined) yield clock;
  yield* await examineFileLogs(config);
  if (clock !== undefined) yield* await examineWitnesses(context);
}

async function examineFileLogs({ dataFolder }: CliConfig): Promise<Finding[]> {
  const eventLog = await settled('event log', `Look at the folder events in ${dataFolder}.`, () => checkEventLog(dataFolder));
  const replays = await settled('replays', `Look at the folder replays in ${dataFolder}.`, () =>
    checkReplays(dataFolder, Date.now()),
  );
  return [eventLog, replays].filter((finding) => finding !== undefined);
}

async function examineWitnesses(context: Context): Promise<Finding[]> {
  const nextStep = 'Run tollgate migrate up.';
  const found = await settled('reconciler', nextStep, async () => checkWitnesses(await context.usageDatabase()));
  return 'check' in found ? [found] : found;
}

/** Returns what it found about the clocks, which is told later. */
async function* examineDatabase(context: Context): AsyncGenerator<Finding, Finding | undefined> {
  const url = await settled(
    'database',
    'Start the gateway with npm start in this folder, or set DATABASE_URL.',
    context.databaseUrl,
  );
  if (typeof url !== 'string') {
    yield url;
    return undefined;
  }
  const found = await settled('database', 'Start the database, and correct its address if it is another.', async () =>
    checkServer(await context.database(), Date.now),
  );
  if ('check' in found) {
    yield found;
    return undefined;
  }
  yield found.server;
  for (const { url: each, of } of await databasesOf(context)) {
    const nextStep = 'Start the database, or use the version of Tollgate that migrated it.';
    yield await settled(`migrations${of}`, nextStep, async () => {
      const { migrationStatus } = await import('@tollgate/postgres/migrate');
      return checkMigrations(await migrationStatus({ url: each, folder: context.migrationsFolder }), of);
    });
  }
  yield await settled('change feed', 'Run tollgate migrate up.', async () => checkChangeFeed(await context.database()));
  return found.clock;
}

async function examineKafka(connection: KafkaConnectionSettings, topic: string): Promise<Finding[]> {
  const nextStep = 'Start Kafka, and correct the KAFKA_ settings if its address, login or certificates are others.';
  const found = await settled('kafka', nextStep, () => checkKafka(connection, topic));
  return 'check' in found ? [found] : found;
}

async function* examineGateway({ dataFolder }: CliConfig): AsyncGenerator<Finding> {
  const gateway = await settled('gateway', 'Start the gateway anew with npm start.', () => readGatewayFile(dataFolder));
  if (gateway === undefined)
    yield warn(
      'gateway',
      `none was started with ${dataFolder}: Envoy and the services were not asked`,
      'Start it with npm start, or ask them yourself.',
    );
  else if ('check' in gateway) yield gateway;
  else yield* await checkGateway(gateway);
}

/** What the work resolves to, or the finding that it failed. */
async function settled<Value>(check: string, nextStep: string, work: () => Promise<Value>): Promise<Value | Finding> {
  try {
    return await work();
  } catch (error) {
    return fail(check, failureOf(error, undefined).message, nextStep);
  }
}

const VIEW: View = {
  columns: [column('Check', 'check'), column('Status', 'status'), column('Detail', 'detail')],
  fields: ['check', 'status', 'detail', 'next_step'],
};
