import { parseArgs } from 'node:util';

export type Arguments =
  | { kind: 'run'; json: boolean; infrastructure: boolean }
  | { kind: 'help' }
  /** In words for a person. */
  | { kind: 'wrong'; problem: string };

/** What stands behind the program's name. */
export function readArguments(args: readonly string[]): Arguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, infrastructure: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) return { kind: 'help' };
    return { kind: 'run', json: values.json === true, infrastructure: values.infrastructure === true };
  } catch (error) {
    return { kind: 'wrong', problem: `${(error as Error).message.split('. ', 1)[0]}. --help shows what there is.` };
  }
}
