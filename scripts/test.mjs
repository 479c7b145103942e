/**
 * Runs every suite once, or those named: `npm test [-- path …] [-- any option of vitest]`.
 * The very last line is `N passed, N failed`, with `, N skipped` where there are any.
 */
import { parseCLI, startVitest } from 'vitest/node';
import { createPlainLineReporter } from './plain-line-reporter.mjs';

const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)], { allowUnknownOptions: false });
const plainLine = createPlainLineReporter();
const reporters = options.reporters ?? options.reporter ?? ['default'];

// Printed at the exit and not at the end of the run: whatever closes after the tests has had its say by then.
process.on('exit', (code) => {
  const { line, exitCode } = plainLine.result(code);
  process.exitCode = exitCode;
  process.stdout.write(`${line}\n`);
});

await startVitest('test', filter, {
  ...options,
  run: true,
  watch: false,
  reporters: [...[reporters].flat(), plainLine],
});
process.exit();
