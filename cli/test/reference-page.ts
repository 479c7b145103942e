import type { Command, Option } from '../src/command.js';
import { COMMANDS } from '../src/commands/all.js';
import { SETTINGS } from '../src/config.js';
import { FORMATS } from '../src/output.js';
import { SHAPES } from './json-shapes.js';

/** docs/cli.md, made from the table of commands. */
export function referencePage(): string {
  return `${HEAD}
## Commands

${COMMANDS.map(commandSection).join('\n\n')}

## Settings

From the environment. A secret may come from a file: \`DATABASE_URL_FILE\` names it.

| setting | |
|---|---|
${Object.values(SETTINGS)
  .map(
    ({ name, describe, default: preset }) =>
      `| \`${name}\` | ${describe}${preset === undefined ? '' : ` Default: \`${preset}\`.`} |`,
  )
  .join('\n')}

## JSON

The fields stay; new ones may be added. Times are ISO 8601 in UTC, and what is not there is \`null\`. A command that lists prints an array of these.

${Object.entries(SHAPES)
  .map(([name, shape]) => `**${name}**${NOTES[name] ?? ''}\n\n\`\`\`json\n${JSON.stringify(shape, null, 2)}\n\`\`\``)
  .join('\n\n')}
`;
}

const HEAD = `<!-- Made from the table of commands: npm run docs -->
# The CLI

\`npx tollgate <noun> <verb>\` works on the gateway that runs in the same folder (it reads \`gateway.json\` in \`DATA_DIR\`), or on the
database that \`DATABASE_URL\` names. \`--help\` after a noun or a verb explains it; \`tollgate completion\` prints a script for your shell.

- ORG is the id or the name of an organization, KEY the id of a key, or the first 12 characters of its secret where no
  other key begins so. \`--org-id\` and \`--key-id\` may stand in their place.
- \`-o table|json|csv|id\`: how data is printed. A table is for people, on a terminal or not; scripts ask for \`json\`, whose fields stay.
- Data goes to stdout, everything else to stderr. Errors with \`-o json\`: \`{ "error": { "code": "…", "message": "…" } }\` on stderr.
- What is hard to take back asks first. Without a terminal, \`--yes\` is needed.
- Times are UTC. A day means its first moment, and ranges are half-open: \`--from 2026-11-01 --to 2026-12-01\` is November.
- A value that begins with a dash is written with \`=\`: \`--name=-x\`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed; also a key that is not valid, a line that was not imported, a configuration with problems, a doctor who found something |
| 2 | wrong use |
| 3 | not found |
| 5 | conflict with what is there: a name that is taken, limits that would not fit, several keys that begin so |
| 69 | the database or the counters are unavailable |
| 78 | bad settings, or no database is known |
`;

const NOTES: Record<string, string> = {
  key: ' (and `key` with the secret, from `key create` and `key rotate` alone; of `key rotate` also `old_key_ends_at`)',
  'key import': ' (`problems` holds the first 1,000 of the `refused` lines)',
  counters:
    ' (with `--key` also `key_id`; `name` is minute, day or month, `scope` organization or key, `burst` null but for a minute)',
  'counters explain':
    ' (`source` is plan, organization or key; `decision` is allowed, limited, shadow or denied, and `status` null where the API answers)',
  limits: ' (with `--key`: `key_id` in place of `keys`)',
  'usage tail': ' (a line each)',
  'usage dead-letters replay':
    ' (`problems` holds the first 1,000 of the `failed` ones; `passed_over`: replayed before, or unknown)',
  usage: ' (with `--by route|key|status` also `route`, `api_key_id` or `status_code`, in front)',
};

function commandSection(command: Command): string {
  const name = ['tollgate', command.noun, command.verb].filter((word) => word !== '').join(' ');
  const positionals = Object.entries(command.positionals ?? {});
  const usage = [name, ...positionals.map(([positional]) => positionalName(positional))].join(' ');
  const rows = [
    ...positionals.map(([positional, describe]) => `| ${positionalName(positional)} | ${describe} |`),
    ...Object.entries(command.options ?? {}).map(([option, about]) => optionRow(option, about)),
  ];
  return [
    `### ${usage}`,
    `${command.describe}${formatsNote(command)}`,
    `\`\`\`\n${command.example}\n\`\`\``,
    ...(rows.length === 0 ? [] : [`| | |\n|---|---|\n${rows.join('\n')}`]),
  ].join('\n\n');
}

function positionalName(name: string): string {
  return name.toUpperCase().replace('..', '…');
}

function optionRow(name: string, { value, choices, default: preset, describe }: Option): string {
  const shown = choices === undefined ? value : choices.join('\\|');
  return `| \`--${name}\`${shown === undefined ? '' : ` ${shown}`} | ${describe}${preset === undefined ? '' : ` Default: ${preset}.`} |`;
}

function formatsNote({ noun, formats }: Command): string {
  if (formats === undefined) return '';
  if (!formats.includes('csv')) return ` \`-o json\` changes only how ${noun === 'config' ? 'its' : 'the'} errors are printed.`;
  return ` No \`-o ${FORMATS.find((format) => !formats.includes(format))}\`.`;
}
