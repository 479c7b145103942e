/** Runs services of docker-compose.yml as processes of this machine: their commands, environments, dependencies and health checks. */
import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { promisify } from 'node:util';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { until } from '@tollgate/testing/until';
import { type ComposeFile, type DependsCondition, isOurs } from './compose-file.js';
import type { BuiltImage } from './dockerfile.js';
import { type Places, serviceOf } from './places.js';

const TASK_DEADLINE_MS = 60_000;
const HEALTH_DEADLINE_MS = 120_000;
/** Longer than Docker waits: this machine may have other tests to run. */
const HEALTH_CHECK_TIMEOUT_MS = 20_000;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 15_000 }] as const;

/** What stands in for a container that cannot be run from its definition alone. */
export interface StandIn {
  /** Goes on in the place of running the command. */
  start?: () => Promise<BackgroundProcess | undefined>;
  /** After a one-shot has succeeded. */
  after?: () => Promise<void>;
  /** The tools of its health check are in its image alone, and its start waits until it serves. */
  hasNoHealthCheckHere?: true;
}

export interface Outcome {
  stdout: string;
  stderr: string;
}

export interface ComposeRunner {
  /** Brings up the service after all that it depends on, each to the condition that is asked for. */
  up(service: string): Promise<void>;
  /** `docker compose run --rm SERVICE ARGUMENTS`. Rejects where it fails. */
  run(service: string, args?: readonly string[]): Promise<Outcome>;
  /** Ends a service as `docker compose stop` does; its exit code. */
  stop(service: string): Promise<number | null>;
  processOf(service: string): BackgroundProcess;
  /** The log of everything that the service wrote. */
  logOf(service: string): string;
  running(): string[];
  close(): Promise<void>;
}

export interface RunnerOptions {
  compose: ComposeFile;
  image: BuiltImage;
  places: Places;
  /** For logs, and for the programs that images bring along. */
  folder: string;
  /** Where processes are recorded, so that they end with the run. */
  recordIn: string;
  programs: Readonly<Record<string, string>>;
  standIns: Readonly<Record<string, StandIn>>;
}

export async function createComposeRunner(options: RunnerOptions): Promise<ComposeRunner> {
  const { compose, image, places, folder, standIns } = options;
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  for (const [name, path] of Object.entries({ node: execPath, ...options.programs })) await symlink(path, join(bin, name));
  const path = `${bin}:/usr/local/bin:/usr/bin:/bin`;
  const cwd = join(image.root, image.workdir);
  const started = new Map<string, BackgroundProcess>();
  const begun = new Map<string, Promise<void>>();

  const environmentOf = (name: string): Record<string, string> => {
    const { environment = {} } = serviceOf(compose, name);
    const said = Object.entries(environment).map(([key, value]) => [key, places.here(name, value)] as const);
    return { PATH: path, ...(isOurs(serviceOf(compose, name)) ? image.environment : {}), ...Object.fromEntries(said) };
  };
  const commandOf = (name: string, args?: readonly string[]): string[] => {
    const service = serviceOf(compose, name);
    const [entrypoint, command] = isOurs(service) ? [image.entrypoint, image.command] : [[], []];
    const first = service.entrypoint ?? entrypoint;
    const rest = args ?? service.command ?? command;
    return [...first, ...rest].map((word) => places.here(name, word));
  };
  const logOf = (name: string): string => join(folder, `${name}.log`);

  async function run(name: string, args?: readonly string[]): Promise<Outcome> {
    const [program = '', ...rest] = commandOf(name, args);
    return promisify(execFile)(program, rest, { cwd, env: environmentOf(name), timeout: TASK_DEADLINE_MS });
  }

  async function start(name: string): Promise<void> {
    await places.release(name);
    const standIn = standIns[name];
    if (standIn?.start !== undefined) {
      const server = await standIn.start();
      if (server !== undefined) started.set(name, server);
      return;
    }
    const [command = '', ...args] = commandOf(name);
    const record = { folder: options.recordIn, name };
    const env = environmentOf(name);
    started.set(
      name,
      await startBackgroundProcess({ command, args, env, folder: cwd, logFile: logOf(name), hasOwnGroup: true, record }),
    );
  }

  async function isHealthy(name: string): Promise<boolean> {
    const { test = [] } = serviceOf(compose, name).healthcheck ?? {};
    const [kind, ...words] = test.map((word) => places.here(name, word));
    const [program = '', ...args] = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : words;
    await promisify(execFile)(program, args, { cwd, env: environmentOf(name), timeout: HEALTH_CHECK_TIMEOUT_MS });
    return true;
  }

  async function reach(name: string, condition: DependsCondition): Promise<void> {
    await upOnce(name);
    if (condition !== 'service_healthy' || standIns[name]?.hasNoHealthCheckHere === true) return;
    const server = started.get(name);
    const isDone = async () => (server?.isRunning() === false ? 'ended' : isHealthy(name));
    const outcome = await until(isDone, HEALTH_DEADLINE_MS, `the health check of ${name}`).catch(async (error: unknown) => {
      throw new Error(`${name} is not healthy:\n${await server?.lastLines()}`, { cause: error });
    });
    if (outcome === 'ended') throw new Error(`${name} ended:\n${await server?.lastLines()}`);
  }

  async function bringUp(name: string): Promise<void> {
    const { depends_on: needs = {}, restart } = serviceOf(compose, name);
    await Promise.all(Object.entries(needs).map(([need, { condition }]) => reach(need, condition)));
    if (restart !== 'no') return start(name);
    await run(name);
    await standIns[name]?.after?.();
  }

  function upOnce(name: string): Promise<void> {
    const up = begun.get(name) ?? bringUp(name);
    begun.set(name, up);
    return up;
  }

  const processOf = (name: string): BackgroundProcess => {
    const found = started.get(name);
    if (found === undefined) throw new Error(`${name} does not run.`);
    return found;
  };
  return {
    up: (name) => reach(name, serviceOf(compose, name).healthcheck === undefined ? 'service_started' : 'service_healthy'),
    run,
    stop: async (name) => {
      await stopInSteps(processOf(name), STOP_STEPS);
      return (await processOf(name).exited).code;
    },
    processOf,
    logOf,
    running: () => [...started.keys()],
    close: async () => {
      await Promise.all([...started.values()].map((server) => stopInSteps(server, STOP_STEPS)));
    },
  };
}
