import { flagArgument, requiredText } from './arguments.js';
import { EXIT, Unhappy, wrongUse } from './cli-error.js';
import type { Arguments, Command } from './command.js';
import { type ContextOptions, createContext } from './context.js';
import { type Failure, failureOf } from './failure.js';
import { createOutput, FORMATS, type Format } from './output.js';
import { toJson } from './printable.js';
import type { Terminal } from './terminal.js';

export interface Host extends Terminal, Pick<ContextOptions, 'environment' | 'migrationsFolder' | 'onInterrupt'> {
  stdout: NodeJS.WriteStream;
}

/** Runs one command and returns the exit code. Nothing but data goes to stdout. */
export async function runCommand(command: Command, args: Arguments, host: Host): Promise<number> {
  const format = requiredText(args, 'output') as Format;
  const context = createContext({
    output: createOutput(format, host.stdout, host.stderr),
    terminal: host,
    environment: host.environment,
    migrationsFolder: host.migrationsFolder,
    ...(host.onInterrupt === undefined ? {} : { onInterrupt: host.onInterrupt }),
    isSure: flagArgument(args, 'yes'),
  });
  try {
    const { formats = FORMATS } = command;
    if (!formats.includes(format)) throw wrongUse(`This command prints -o ${formats.join('|')}.`);
    await command.run(args, context);
    return EXIT.done;
  } catch (error) {
    if (error instanceof Unhappy) return EXIT.failed;
    return tellFailure(failureOf(error, context.databaseSource()), format, host);
  } finally {
    // What a connection has to say at its end changes nothing of the outcome.
    await context.close().catch(() => {});
  }
}

/** Says what went wrong on stderr, as JSON where JSON is asked for, and returns the exit code. */
export function tellFailure({ code, message, exitCode }: Failure, format: Format, { stderr }: Pick<Host, 'stderr'>): number {
  stderr.write(format === 'json' ? `${toJson({ error: { code, message } })}\n` : `tollgate: ${message}\n`);
  return exitCode;
}
