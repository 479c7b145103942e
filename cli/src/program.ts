import { VERSION } from '@tollgate/service-kit/version';
import yargs, { type Argv } from 'yargs';
import { EXIT, wrongUse } from './cli-error.js';
import type { Arguments, Command } from './command.js';
import { COMMANDS, NOUNS, VERB_GROUPS } from './commands/all.js';
import { failureOf } from './failure.js';
import { FORMATS } from './output.js';
import { quoted } from './printable.js';
import { type Host, runCommand, tellFailure } from './run-command.js';

/** Runs what the words ask for and returns the exit code. */
export async function runProgram(words: readonly string[], host: Host): Promise<number> {
  let exitCode: number = EXIT.done;
  const parser = createParser(words, host);
  const addCommand = (parent: Argv, command: Command): void => {
    const names = Object.keys(command.positionals ?? {});
    const usage = [command.verb.split(' ').at(-1) || command.noun, ...names.map((name) => `[${name}]`)].join(' ');
    parent.command(
      usage,
      command.describe,
      (own) => withOptions(own, command),
      async (args) => {
        exitCode = await runCommand(command, argumentsOf(args, command, words), host);
      },
    );
  };
  const addGroup = (parent: Argv, noun: string, group: string): void => {
    const describe = VERB_GROUPS[`${noun} ${group}`] ?? '';
    parent.command(group, describe, (under) => {
      for (const command of COMMANDS)
        if (command.noun === noun && command.verb.startsWith(`${group} `)) addCommand(under, command);
      return under.usage(describe).demandCommand(1, `Name a verb; tollgate ${noun} ${group} --help shows them.`);
    });
  };
  for (const [noun, describe] of Object.entries(NOUNS)) {
    const verbs = COMMANDS.filter((command) => command.noun === noun);
    parser.command(noun, describe, (under) => {
      for (const command of verbs.filter(({ verb }) => !verb.includes(' '))) addCommand(under, command);
      for (const group of groupsOf(noun)) addGroup(under, noun, group);
      return under.usage(describe).demandCommand(1, `Name a verb; tollgate ${noun} --help shows them.`);
    });
  }
  for (const command of COMMANDS.filter(({ noun }) => !(noun in NOUNS))) addCommand(parser, command);
  try {
    await parser.parseAsync([...words], {}, (_error, _args, text) => {
      if (text !== '') host.stdout.write(`${text}\n`);
    });
    return exitCode;
  } catch (error) {
    const asked = (error as Error).name === 'YError' ? wrongUse((error as Error).message) : error;
    const isJson = /(^| )(-o|--output)[ =]?json( |$)/.test(words.join(' '));
    return tellFailure(failureOf(asked, undefined), isJson ? 'json' : 'table', host);
  }
}

function createParser(words: readonly string[], host: Host): Argv {
  return yargs(words)
    .scriptName('tollgate')
    .usage('$0 <noun> <verb>\n\nWorks on the gateway that runs in this folder, or on the database that DATABASE_URL names.')
    .locale('en')
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'boolean-negation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'strip-aliased': true,
    })
    .option('output', {
      alias: 'o',
      type: 'string',
      choices: FORMATS,
      default: 'table',
      requiresArg: true,
      describe: 'How data is printed.',
    })
    .option('yes', { alias: 'y', type: 'boolean', describe: 'Do it without asking.' })
    .group(['output', 'yes', 'help', 'version'], 'Everywhere:')
    .alias('help', 'h')
    .version(VERSION)
    .completion('completion', 'Prints a script that completes commands for your shell.')
    .epilogue('Try tollgate <noun> <verb> --help for an example.')
    .exitProcess(false)
    .strict()
    .recommendCommands()
    .demandCommand(1, 'Name a command; tollgate --help shows them.')
    .wrap(Math.min(120, host.stdout.columns ?? 120))
    .fail((message, error) => {
      throw error ?? wrongUse(worded(message));
    });
}

/** The first words of its verbs of two words. */
function groupsOf(noun: string): string[] {
  const named = Object.keys(VERB_GROUPS).filter((name) => name.startsWith(`${noun} `));
  return named.map((name) => name.slice(noun.length + 1));
}

function withOptions(parser: Argv, { positionals = {}, options = {}, example }: Command): Argv {
  for (const [name, describe] of Object.entries(positionals))
    parser.positional(name.replace('..', ''), { type: 'string', describe });
  for (const [name, { value: _, ...option }] of Object.entries(options))
    parser.option(name, { ...option, requiresArg: option.type === 'string' });
  return parser.example(example, '');
}

/** Words after `--` reach no positional of yargs, and must not be passed over in silence. */
function argumentsOf(
  { _: path, $0: _, ...args }: Record<string, unknown>,
  { verb, positionals = {} }: Command,
  words: readonly string[],
): Arguments {
  const rest = (path as string[])[verb === '' ? 1 : 1 + verb.split(' ').length];
  if (rest !== undefined) throw wrongUse(`Nothing is taken after "--": write --org-id=${quoted(rest)}.`);
  // A single dash is a word like any other; yargs makes an empty text of it.
  const dashes = Object.keys(positionals).filter((name) => args[name] === '' && words.includes('-'));
  return { ...args, ...Object.fromEntries(dashes.map((name) => [name, '-'])) } as Arguments;
}

/** What yargs says of a word that is not among the choices stands on three lines. */
function worded(message: string): string {
  return message.replace(/^Invalid values:\s+Argument: (\S+), Given: (.*), Choices: (.*)$/s, '--$1 takes one of $3, not $2.');
}
