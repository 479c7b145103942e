import { fileURLToPath } from 'node:url';
import { runProgram } from './program.js';

const { argv, env, stdin, stdout, stderr } = process;

// `tollgate org list | head -1` closes our end early: that is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runProgram(argv.slice(2), {
  stdin,
  stdout,
  stderr,
  environment: env,
  onInterrupt: (listener) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, listener);
  },
  /** Beside the folder of bundles, in which this file runs. */
  migrationsFolder: fileURLToPath(new URL('../migrations', import.meta.url)),
});
