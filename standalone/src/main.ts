import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { readOrExit, runService } from '@tollgate/service-kit/lifecycle';
import { readyJson, readyText } from './announce.js';
import { readArguments } from './arguments.js';
import { readAllSettings } from './check-settings.js';
import { SETTINGS } from './config.js';
import { helpOf } from './help.js';
import { openLogFile } from './log-file.js';
import { startStandalone } from './service.js';

/** Beside the folder of bundles, in which this file runs. */
const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
/** Envoy's drain, the last batch and PostgreSQL's shutdown, one after the other. */
const CLOSE_DEADLINE_MS = 30_000;

const WRONG_USE = 2;

const args = readArguments(process.argv.slice(2));
if (args.kind === 'wrong') {
  process.stderr.write(`tollgate: ${args.problem}\n`);
  process.exit(WRONG_USE);
}
if (args.kind === 'help') {
  process.stdout.write(helpOf(SETTINGS));
  process.exit(0);
}

const config = readOrExit(process, 'tollgate', () => readAllSettings(process.env, homedir()));
const logFile = openLogFile(config.dataFolder);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

await runService(
  process,
  'standalone',
  async () => {
    const standalone = await startStandalone(config, {
      migrationsFolder: MIGRATIONS,
      logStream: logFile.stream,
      progress: say,
      pid: process.pid,
      withServices: !args.infrastructure,
    });
    if (args.infrastructure) process.stdout.write(`${JSON.stringify({ services: standalone.services })}\n`);
    process.stdout.write(args.json ? readyJson(standalone) : readyText(standalone, logFile.path));
    void standalone.failed.then(async (reason) => {
      say(reason);
      await standalone.close();
      process.exit(1);
    });
    return {
      async close() {
        say('Stopping: requests in flight end, and what was counted is stored. Ctrl-C again ends at once.');
        await standalone.close();
      },
    };
  },
  { logTo: logFile.stream, closeDeadlineMs: CLOSE_DEADLINE_MS },
);
