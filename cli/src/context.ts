import { homedir, userInfo } from 'node:os';
import { type GatewayFile, gatewayFilePath, readGatewayFile } from '@tollgate/embedded/gateway-file';
import type { Database } from '@tollgate/postgres/database';
import type { Environment } from '@tollgate/service-kit/settings';
import { CliError, EXIT, wrongUse } from './cli-error.js';
import type { Context } from './command.js';
import type { CliConfig } from './config.js';
import type { DatabaseSource } from './failure.js';
import { openCounters } from './open-counters.js';
import type { Output } from './output.js';
import { askToConfirm, isInteractive, readSecretLine, showProgress, type Terminal } from './terminal.js';
import { readPieces } from './text-file.js';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const USAGE_STATEMENT_TIMEOUT_MS = 60_000;

export interface ContextOptions {
  output: Output;
  terminal: Terminal;
  environment: Environment;
  migrationsFolder: string;
  /** Calls the listener at the first Ctrl-C, which then ends nothing by itself. */
  onInterrupt?: (listener: () => void) => void;
  /** Do not ask. */
  isSure: boolean;
}

/** Makes what a command may touch, each thing when it is first asked for. */
export function createContext(options: ContextOptions): Context & { databaseSource(): DatabaseSource; close(): Promise<void> } {
  const { output, terminal, environment, isSure } = options;
  const opened: { close(): Promise<void> }[] = [];
  let source: DatabaseSource;

  const config = once(async () => {
    // Loaded only by commands that need it: --help should answer at once.
    const { readConfig } = await import('./config.js');
    return readConfig(environment, homedir());
  });
  const databaseUrl = once(async () => {
    const { databaseUrl: given, dataFolder } = await config();
    source = given === undefined ? 'gateway file' : 'settings';
    return given ?? (await gatewayOf(dataFolder)).databaseUrl;
  });
  const open = async (url: string, statementTimeoutMs: number): Promise<Database> => {
    const { openDatabase } = await import('@tollgate/postgres/database');
    const options = { url, maxConnections: 2, connectTimeoutMs: CONNECT_TIMEOUT_MS, statementTimeoutMs };
    const database = openDatabase({ ...options, applicationName: 'tollgate', onError: () => {} });
    opened.push(database);
    return database;
  };

  return {
    output,
    now: new Date(),
    migrationsFolder: options.migrationsFolder,
    config,
    actor: once(async () => actorOf(await config())),
    database: once(async () => open(await databaseUrl(), STATEMENT_TIMEOUT_MS)),
    usageDatabase: once(async () => {
      const { usageDatabaseUrl } = await config();
      return open(usageDatabaseUrl ?? (await databaseUrl()), USAGE_STATEMENT_TIMEOUT_MS);
    }),
    databaseUrl,
    counters: once(async () => {
      const counters = await openCounters(await config());
      opened.push(counters);
      return counters;
    }),
    databaseSource: () => source,
    readSecret: (question) => readSecretLine(terminal, question),
    readPieces: (path) => readPieces(path, terminal.stdin),
    showProgress: (text) => showProgress(terminal, text),
    interrupted() {
      const controller = new AbortController();
      options.onInterrupt?.(() => controller.abort());
      return controller.signal;
    },
    async confirm(question) {
      if (isSure) return;
      if (!isInteractive(terminal)) throw wrongUse(`${question} Nobody can answer here: repeat the command with --yes.`);
      await askToConfirm(terminal, question);
    },
    async close() {
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}

async function gatewayOf(dataFolder: string): Promise<GatewayFile> {
  const gateway = await readGatewayFile(dataFolder).catch((error: Error) => {
    throw new CliError('no_database', EXIT.badSettings, `${error.message}. Start the gateway anew, or set DATABASE_URL.`);
  });
  if (gateway !== undefined) return gateway;
  throw new CliError(
    'no_database',
    EXIT.badSettings,
    `No database is known: there is no ${gatewayFilePath(dataFolder)}. Start the gateway with npm start in this folder, or set DATABASE_URL.`,
  );
}

async function actorOf(config: CliConfig): Promise<string> {
  if (config.actor === undefined) return systemUser();
  const { validActor } = await import('@tollgate/postgres/text-rules');
  try {
    return validActor(config.actor);
  } catch (error) {
    throw new CliError('bad_settings', EXIT.badSettings, `TOLLGATE_ACTOR: ${(error as Error).message}.`);
  }
}

/** A container may run as a user who has no name. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
