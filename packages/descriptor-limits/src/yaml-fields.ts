import { startOf, type YamlFile } from '@tollgate/yaml-file/yaml-file';
import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';

/** One field of a map. `at` is where to report what is wrong with it. */
interface Field {
  value: Node | undefined;
  at: number;
}

/** The fields of one map, read by name. Each reader reports what is wrong and then gives what is harmless. */
export interface Fields {
  has(name: string): boolean;
  /** A text as it is written, numbers too; empty where it is left out. */
  text(name: string): string;
  flag(name: string): boolean;
  /** A whole number from 0 to `max`; undefined where it is left out or wrong. */
  count(name: string, max: number): number | undefined;
  oneOf<Word extends string>(name: string, words: readonly Word[]): Word | undefined;
  /** The items of a list, none where it is left out or empty. */
  list(name: string): readonly unknown[];
  /** Reports where it is there and is no map; what is in the map is nobody's business. */
  anyMap(name: string): void;
  /** Undefined where it is left out. What is no map is returned all the same: `openFields` reports it. */
  node(name: string): { value: unknown; at: number } | undefined;
  /** Reports something about a field, or about the whole map. */
  report(what: string, name?: string): void;
}

/** Opens a map that may have the fields `known` and no others. Undefined where it is no map, which is reported. */
export function openFields(
  file: YamlFile,
  node: unknown,
  what: string,
  known: readonly string[],
  at = startOf(node),
): Fields | undefined {
  const map = file.resolve(node);
  if (!isMap(map)) {
    file.report(at, `${what} must be a map with fields such as ${known.slice(0, 2).join(' and ')}`);
    return undefined;
  }
  const fields = new Map<string, Field>();
  collect(file, map, what, known, fields);
  return readers(file, fields, at);
}

/** What a map takes over by `<<` stands behind its own fields. */
function collect(file: YamlFile, map: YAMLMap, what: string, known: readonly string[], fields: Map<string, Field>): void {
  const merged: unknown[] = [];
  for (const { key, value } of map.items) {
    const at = startOf(value ?? key, startOf(key));
    const name: unknown = isScalar(key) ? key.value : undefined;
    if (name === '<<') merged.push(value);
    else if (typeof name !== 'string') file.report(startOf(key), `the name of a field must be a text, not ${shown(key)}`);
    else if (!known.includes(name))
      file.report(startOf(key), `${what} has no field ${JSON.stringify(name)}; it has ${known.join(', ')}`);
    else if (!fields.has(name)) fields.set(name, { value: file.resolve(value), at });
  }
  for (const source of merged) {
    const found = file.resolve(source);
    if (!isMap(found)) file.report(startOf(source), '<< must name a map');
    else if (found.items.some(({ key }) => isScalar(key) && key.value === '<<'))
      file.report(startOf(source), '<< may not lead to a map with << in it');
    else collect(file, found, what, known, fields);
  }
}

function readers(file: YamlFile, fields: ReadonlyMap<string, Field>, mapAt: number): Fields {
  const scalarOf = (name: string): unknown => {
    const value = fields.get(name)?.value;
    return isScalar(value) ? value.value : value;
  };
  const report: Fields['report'] = (what, name) => file.report((name && fields.get(name)?.at) || mapAt, what);
  const isEmpty = (name: string): boolean => !fields.has(name) || scalarOf(name) === null || scalarOf(name) === undefined;
  return {
    has: (name) => fields.has(name),
    text(name) {
      const value = fields.get(name)?.value;
      if (isEmpty(name)) return '';
      if (isScalar(value)) return typeof value.value === 'string' ? value.value : (value.source ?? String(value.value));
      report(`${name} must be a text`, name);
      return '';
    },
    flag(name) {
      if (!fields.has(name)) return false;
      const value = scalarOf(name);
      if (typeof value !== 'boolean') report(`${name} must be true or false`, name);
      return value === true;
    },
    count(name, max) {
      if (!fields.has(name)) return undefined;
      const value = scalarOf(name);
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
      report(`${name} must be a whole number from 0 to ${max}`, name);
      return undefined;
    },
    oneOf(name, words) {
      if (!fields.has(name)) return undefined;
      const value = scalarOf(name);
      const word = typeof value === 'string' ? words.find((each) => each === value.toLowerCase()) : undefined;
      if (word === undefined) report(`${name} must be one of ${words.join(', ')}`, name);
      return word;
    },
    list(name) {
      const value = fields.get(name)?.value;
      if (isSeq(value)) return value.items;
      if (!isEmpty(name)) report(`${name} must be a list`, name);
      return [];
    },
    anyMap(name) {
      if (!isEmpty(name) && !isMap(fields.get(name)?.value)) report(`${name} must be a map`, name);
    },
    node: (name) => fields.get(name),
    report,
  };
}

function shown(key: unknown): string {
  return isScalar(key) ? JSON.stringify(key.value) : 'a list or a map';
}
