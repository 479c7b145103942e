import type { Counters } from '@tollgate/limit-store/counters';
import type { Database } from '@tollgate/postgres/database';
import type { CliConfig } from './config.js';
import type { Format, Output } from './output.js';

/** An option of a command, as yargs takes it; the few fields that we use. Numbers are read by arguments.ts. */
export interface Option {
  type: 'string' | 'boolean';
  describe: string;
  /** What stands for the value in the documentation, such as N or DATE. */
  value?: string;
  default?: string;
  choices?: readonly string[];
  /** May be given several times. */
  array?: boolean;
}

export type Arguments = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** What a command may touch. Everything in it is made on first use, so that `--help` opens no connection. */
export interface Context {
  output: Output;
  now: Date;
  /** Where the `.up.sql` and `.down.sql` files lie. */
  migrationsFolder: string;
  config(): Promise<CliConfig>;
  /** Who does it, for the audit log. */
  actor(): Promise<string>;
  /** Opened once, closed when the command has ended. Throws a CliError where no database is named. */
  database(): Promise<Database>;
  /** Where usage lies: the same database, unless the settings name another. Its statements may take longer. */
  usageDatabase(): Promise<Database>;
  databaseUrl(): Promise<string>;
  /** What is counted against limits; opened once, closed when the command has ended. */
  counters(): Promise<Counters>;
  /** One secret line: from a pipe, or typed without an echo. */
  readSecret(question: string): Promise<string>;
  /** The text of a file, or of stdin for `-`, piece by piece. Throws a CliError where it cannot be read as UTF-8. */
  readPieces(path: string): AsyncIterable<string>;
  /** How far it is, where a person looks; the empty text takes it away. */
  showProgress(text: string): void;
  /** Aborted by Ctrl-C: a command that asks for it goes on until then and ends well. A second Ctrl-C ends it at once. */
  interrupted(): AbortSignal;
  /** Asks a person to confirm, unless --yes was given. Throws a CliError where nobody can answer. */
  confirm(question: string): Promise<void>;
}

export interface Command {
  noun: string;
  /** One word, or two whose first is a group; empty for a noun that is a command itself. */
  verb: string;
  /**
   * In their order. Each may be left out as far as yargs knows: an option may stand in for it. One whose name ends with `..` takes
   * all the words that follow.
   */
  positionals?: Readonly<Record<string, string>>;
  describe: string;
  /** A line to try, shown by --help. */
  example: string;
  options?: Readonly<Record<string, Option>>;
  /** Where it has not all of them: rows without ids, or text that is no table. */
  formats?: readonly Format[];
  run(args: Arguments, context: Context): Promise<void>;
}
