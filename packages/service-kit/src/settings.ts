/** Settings come from the environment, are read once and whole, and every mistake is told together. */
import { readFileSync } from 'node:fs';
import { scrub } from './scrub.js';
import type { SettingValue } from './setting-values.js';

export type { ListenAddress } from './listen-address.js';
export * from './setting-values.js';

/** Where one setting comes from and what it may be. */
export interface Field<Value> {
  /** The environment variable. A secret may come from a file instead, which `NAME_FILE` names. */
  name: string;
  value: SettingValue<Value>;
  /** As one would write it in the environment. */
  default: string | undefined;
  isOptional: boolean;
  isSecret: boolean;
  describe: string;
}

export type Shape = Readonly<Record<string, Field<unknown>>>;
export type SettingsOf<Fields extends Shape> = {
  [Name in keyof Fields]: Fields[Name] extends Field<infer Value> ? Value : never;
};
export type Environment = Readonly<Record<string, string | undefined>>;

interface FieldOptions {
  /** Without one, and unless `optional`, the setting is required. */
  default?: string;
  optional?: true;
  describe?: string;
}

/** The settings are wrong; starting again without a change cannot help. The message lists every problem by its name. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  /** EX_CONFIG of sysexits.h. */
  readonly exitCode = 78;

  constructor(readonly problems: readonly string[]) {
    super(`Bad settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/** A setting. `optional: true` makes it undefined where it is not set. Throws where the default itself is wrong. */
export function field<Value>(
  name: string,
  value: SettingValue<Value>,
  options: FieldOptions & { optional: true },
): Field<Value | undefined>;
export function field<Value>(name: string, value: SettingValue<Value>, options?: FieldOptions): Field<Value>;
export function field<Value>(name: string, value: SettingValue<Value>, options: FieldOptions = {}): Field<Value> {
  return makeField(name, value, options, false);
}

/** A setting whose value is never shown, and that `NAME_FILE` may read from a file. */
export function secretField<Value>(
  name: string,
  value: SettingValue<Value>,
  options: FieldOptions & { optional: true },
): Field<Value | undefined>;
export function secretField<Value>(name: string, value: SettingValue<Value>, options?: FieldOptions): Field<Value>;
export function secretField<Value>(name: string, value: SettingValue<Value>, options: FieldOptions = {}): Field<Value> {
  return makeField(name, value, options, true);
}

function makeField<Value>(name: string, value: SettingValue<Value>, options: FieldOptions, isSecret: boolean): Field<Value> {
  if (options.default !== undefined) value.parse(options.default);
  return {
    name,
    value,
    default: options.default,
    isOptional: options.optional === true,
    isSecret,
    describe: options.describe ?? '',
  };
}

/** Reads all settings of the shape. An empty variable counts as not set. Throws one SettingsError with every mistake. */
export function readSettings<Fields extends Shape>(shape: Fields, env: Environment): SettingsOf<Fields> {
  const problems: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, from] of Object.entries(shape)) {
    const outcome = readField(from, env);
    if (outcome.problem === undefined) settings[name] = outcome.value;
    else problems.push(`${outcome.problem}.`);
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return settings as SettingsOf<Fields>;
}

/** What a reader of settings complains of; nothing where it succeeds. */
export function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

/** Reads several things, and throws one SettingsError with the mistakes of all. */
export function readTogether<Values extends readonly unknown[]>(
  ...reads: { [Index in keyof Values]: () => Values[Index] }
): Values {
  const problems = new Set<string>();
  const values = reads.map((read: () => unknown) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      for (const problem of error.problems) problems.add(problem);
      return undefined;
    }
  });
  if (problems.size > 0) throw new SettingsError([...problems]);
  return values as unknown as Values;
}

type Outcome<Value> = { problem?: undefined; value: Value } | { problem: string };

function readField(from: Field<unknown>, env: Environment): Outcome<unknown> {
  const read = readText(from, env);
  if (read.problem !== undefined) return read;
  const given = read.value ?? from.default;
  if (given === undefined) {
    if (from.isOptional) return { value: undefined };
    const what = from.describe === '' ? '' : ` (${from.describe.replace(/\.$/, '')})`;
    return { problem: `${from.name} is required${what}: set ${from.name}${from.isSecret ? ` or ${from.name}_FILE` : ''}` };
  }
  const parsed = from.value.safeParse(given);
  if (parsed.success) return { value: parsed.data };
  const why = parsed.error.issues.map((issue) => issue.message).join('; ');
  return { problem: `${from.name} ${why}${from.isSecret ? '' : `, not ${quoted(given)}`}` };
}

/** Whether the setting, or the file that holds it, is named at all. An empty variable counts as not set. */
export function isSet({ name, isSecret }: Field<unknown>, env: Environment): boolean {
  return [name, ...(isSecret ? [`${name}_FILE`] : [])].some((variable) => Boolean(env[variable]?.trim()));
}

/** The text of a setting from its variable or its file; undefined where neither is set. */
function readText(from: Field<unknown>, env: Environment): Outcome<string | undefined> {
  const direct = env[from.name]?.trim() || undefined;
  const fileVariable = `${from.name}_FILE`;
  const path = from.isSecret ? env[fileVariable]?.trim() || undefined : undefined;
  if (path === undefined) return { value: direct };
  if (direct !== undefined) return { problem: `${from.name} and ${fileVariable} are both set: keep one of them` };
  try {
    const content = readFileSync(path, 'utf8').trim();
    return content === '' ? { problem: `${fileVariable} names an empty file: write the value into it` } : { value: content };
  } catch (error) {
    // Without the path: whoever confuses the two variables has put the secret there.
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return { problem: `${fileVariable} names a file that cannot be read (${code}): check its path and its mode` };
  }
}

const SHOWN_CHARACTERS = 60;

/** Also what is no secret by name may hold one by mistake. Cut after scrubbing: half a URL no longer looks like one. */
function quoted(given: string): string {
  const shown = scrub(JSON.stringify(given));
  return shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…"` : shown;
}

export interface SettingDescription {
  name: string;
  /** As written in the environment; undefined where there is none. */
  default: string | undefined;
  isRequired: boolean;
  /** What it may be: `duration, at least 1ms`. */
  kind: string;
  description: string;
  secret: boolean;
}

/** The settings of a shape as rows for `--help` and the documentation. */
export function describeSettings(shape: Shape): SettingDescription[] {
  return Object.values(shape).map((from) => ({
    name: from.name,
    default: from.default,
    isRequired: from.default === undefined && !from.isOptional,
    kind: from.value.description ?? '',
    description: from.describe,
    secret: from.isSecret,
  }));
}
