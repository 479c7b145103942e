/** From start to exit code: what every process does around its service. */
import { constants } from 'node:os';
import { withDeadline } from './deadline.js';
import { createLogger, type Logger } from './log.js';
import { scrub } from './scrub.js';
import { SettingsError } from './settings.js';

export interface RunningService {
  /** Where it listens; told in the ready line. */
  address?: string;
  adminAddress?: string;
  close(): Promise<void>;
}

/** What is needed of `process`. */
export type HostProcess = Pick<NodeJS.Process, 'on' | 'exit' | 'stdout' | 'stderr'>;

export interface RunOptions {
  /** Where the process's own JSON lines go; stdout if not given. A failed start is told on stderr too, in words. */
  logTo?: { write(line: string): void };
  /** How long closing may take before the process exits all the same; 10 s if not given. */
  closeDeadlineMs?: number;
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
type StopSignal = (typeof STOP_SIGNALS)[number];

const CLOSE_DEADLINE_MS = 10_000;
/** npm passes on what a terminal has already sent to the whole group: so soon, a signal is the first one once more. */
const ECHO_MS = 250;

/**
 * Starts the service, says `ready`, and closes it at the first SIGTERM, SIGINT, or SIGHUP (the terminal was closed); a second
 * one, 250 ms later or more, exits at once.
 * Exit codes: 0 closed, 78 bad settings (all told on stderr), the error's own `exitCode` (69: a service is unavailable) or 1
 * for any other failure, 129, 130 or 143 after the second signal.
 */
export async function runService(
  process: HostProcess,
  name: string,
  start: () => Promise<RunningService>,
  { logTo = process.stdout, closeDeadlineMs = CLOSE_DEADLINE_MS }: RunOptions = {},
): Promise<void> {
  // Its own lines, at a level that no setting takes away: they are what a supervisor waits for.
  const log = createLogger({ service: name, level: 'info' }, logTo);
  exitOnUncaught(process, log);
  // Whoever read what we print may be gone, with the terminal or a pipe: that is no reason to end, least of all in the midst of closing.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const stopped = firstSignal(process, log);

  let service: RunningService;
  try {
    service = await startUnlessStopped(start, stopped, closeDeadlineMs);
  } catch (error) {
    return process.exit(tellStartFailure(process, log, name, error, logTo === process.stdout));
  }
  const { address, adminAddress } = service;
  log.info({ ...(address && { address }), ...(adminAddress && { admin_address: adminAddress }) }, 'ready');

  log.info({ signal: await stopped }, 'closing');
  try {
    await withDeadline(service.close(), closeDeadlineMs, 'closing');
  } catch (error) {
    log.error({ err: error }, 'closing failed');
    return process.exit(1);
  }
  log.info('closed');
  process.exit(0);
}

function exitOnUncaught(process: HostProcess, log: Logger): void {
  const die = (error: unknown) => {
    log.fatal({ err: error }, 'an error that nobody handles');
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** The first signal; the second ends the process at once, whatever it is doing. */
function firstSignal(process: HostProcess, log: Logger): Promise<StopSignal> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const stop = (signal: StopSignal) => {
      firstMs ??= performance.now();
      resolve(signal);
      const sinceMs = performance.now() - firstMs;
      if (sinceMs < ECHO_MS) return;
      log.warn({ signal }, 'exiting at once');
      process.exit(128 + constants.signals[signal]);
    };
    for (const signal of STOP_SIGNALS) process.on(signal, () => stop(signal));
  });
}

/** A service that is told to stop while it starts may still finish that, so that it can be closed, but not for ever. */
async function startUnlessStopped(
  start: () => Promise<RunningService>,
  stopped: Promise<StopSignal>,
  deadlineMs: number,
): Promise<RunningService> {
  const starting = Promise.resolve().then(start);
  await Promise.race([starting, stopped]);
  return withDeadline(starting, deadlineMs, 'starting, with a signal to stop,');
}

/** What `read` returns; bad settings are told on stderr, all at once, and end the process with 78. */
export function readOrExit<Config>(process: HostProcess, name: string, read: () => Config): Config {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    return process.exit(error.exitCode);
  }
}

function tellStartFailure(process: HostProcess, log: Logger, name: string, error: unknown, isStdout: boolean): number {
  if (error instanceof SettingsError) {
    process.stderr.write(`${name}: ${error.message}\n`);
    return error.exitCode;
  }
  log.fatal({ err: error }, 'start failed');
  if (!isStdout) process.stderr.write(`${name}: ${scrub(error instanceof Error ? error.message : String(error))}\n`);
  const { exitCode } = (error ?? {}) as { exitCode?: unknown };
  return typeof exitCode === 'number' && Number.isInteger(exitCode) && exitCode > 0 && exitCode < 256 ? exitCode : 1;
}
