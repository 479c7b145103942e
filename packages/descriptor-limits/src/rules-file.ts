/** One file of rules, in the YAML that envoyproxy/ratelimit reads. */
import { openYamlFile, type YamlFile, type YamlProblem } from '@tollgate/yaml-file/yaml-file';
import { ALGORITHMS, type Algorithm, type Rule } from './rule.js';
import { UNITS } from './unit.js';
import { type Fields, openFields } from './yaml-fields.js';

/** A rule as it stands in its file. */
export interface FileRule extends Omit<Rule, 'beneath'> {
  line: number;
  beneath: readonly FileRule[];
}

/** What could be read of a file, and what is wrong with it up to now. */
export interface RulesFile {
  name: string;
  /** Empty where the file names none. */
  domain: string;
  domainLine: number;
  algorithm: Algorithm;
  rules: readonly FileRule[];
  problems: readonly YamlProblem[];
  report(line: number, what: string): void;
}

/** That of the limits of organizations; see docs/decisions/0012. */
export const RESERVED_DOMAIN = 'tollgate';
const MAX_REQUESTS = 4_294_967_295;
/** Through aliases a small file can stand for very many rules, even for endless ones. */
const MAX_RULES = 10_000;
const MAX_DEPTH = 20;

const FILE_FIELDS = ['domain', 'descriptors', 'algorithm'];
const RULE_FIELDS = [
  ...['key', 'value', 'rate_limit', 'descriptors', 'shadow_mode', 'quota_mode', 'detailed_metric', 'value_to_metric'],
  ...['share_threshold', 'algorithm', 'metadata'],
];
const LIMIT_FIELDS = ['unit', 'requests_per_unit', 'unlimited', 'name', 'replaces'];

/** Reads all that can be read: one mistake hides no other. */
export function parseRulesFile(name: string, text: string): RulesFile {
  const file = openYamlFile(text);
  const late: YamlProblem[] = [];
  const report = (line: number, what: string): void => void late.push({ line, what });
  const root = file.problems.length === 0 ? openFields(file, file.root, 'the file', FILE_FIELDS) : undefined;
  return {
    ...(root === undefined ? NOTHING : contentOf(file, root)),
    name,
    report,
    get problems() {
      return [...file.problems, ...late];
    },
  };
}

type Content = Pick<RulesFile, 'domain' | 'domainLine' | 'algorithm' | 'rules'>;
const NOTHING: Content = { domain: '', domainLine: 1, algorithm: 'token_bucket', rules: [] };

function contentOf(file: YamlFile, root: Fields): Content {
  const domain = root.text('domain');
  if (domain === '') root.report('the file needs a domain that is not empty', 'domain');
  if (domain === RESERVED_DOMAIN)
    root.report(
      `the domain ${RESERVED_DOMAIN} is that of the limits of organizations, which are set with tollgate limits`,
      'domain',
    );
  const algorithm = root.oneOf('algorithm', ALGORITHMS) ?? 'token_bucket';
  const reading: Reading = { file, count: 0 };
  const rules = rulesIn(reading, root, algorithm, 1);
  return { domain, domainLine: file.lineOf(root.node('domain')?.value), algorithm, rules };
}

interface Reading {
  file: YamlFile;
  count: number;
}

function rulesIn(reading: Reading, fields: Fields, algorithm: Algorithm, depth: number): FileRule[] {
  const items = fields.list('descriptors');
  if (items.length > 0 && depth > MAX_DEPTH) {
    fields.report(`descriptors may stand in ${MAX_DEPTH} levels at most`, 'descriptors');
    return [];
  }
  const rules: FileRule[] = [];
  for (const item of items) {
    if (reading.count === MAX_RULES) fields.report(`there may be at most ${MAX_RULES} descriptors in a file`, 'descriptors');
    if (++reading.count > MAX_RULES) break;
    const rule = ruleIn(reading, item, algorithm, depth);
    if (rule !== undefined) rules.push(rule);
  }
  return rules;
}

function ruleIn(reading: Reading, node: unknown, inherited: Algorithm, depth: number): FileRule | undefined {
  const { file } = reading;
  const fields = openFields(file, node, 'a descriptor', RULE_FIELDS);
  if (fields === undefined) return undefined;
  const key = keyIn(fields);
  const value = fields.text('value') || undefined;
  const wildcard = value?.includes('*') ? value.split('*') : undefined;
  const sharesThreshold = fields.flag('share_threshold');
  if (sharesThreshold && wildcard === undefined)
    fields.report('share_threshold is for values with a *, whose matches then count together', 'share_threshold');
  fields.anyMap('metadata');
  const algorithm = fields.oneOf('algorithm', ALGORITHMS) ?? inherited;
  return {
    ...{ key, value, wildcard, sharesThreshold, line: file.lineOf(node) },
    ...limitIn(file, fields, algorithm),
    isShadow: fields.flag('shadow_mode'),
    isQuota: fields.flag('quota_mode'),
    hasDetailedMetric: fields.flag('detailed_metric'),
    showsValueInMetric: fields.flag('value_to_metric'),
    beneath: rulesIn(reading, fields, algorithm, depth + 1),
  };
}

function keyIn(fields: Fields): string {
  const key = fields.text('key');
  if (key === '') fields.report('the descriptor needs a key that is not empty', 'key');
  if (key.includes('*')) fields.report('a key holds no *: wildcards are for values', 'key');
  return key;
}

type LimitPart = Pick<Rule, 'limit' | 'name' | 'replaces'>;
const NO_LIMIT: LimitPart = { limit: undefined, name: '', replaces: [] };

function limitIn(file: YamlFile, rule: Fields, algorithm: Algorithm): LimitPart {
  const found = rule.node('rate_limit');
  const fields = found && openFields(file, found.value, 'rate_limit', LIMIT_FIELDS, found.at);
  if (fields === undefined) return NO_LIMIT;
  const name = fields.text('name');
  const part = { name, replaces: replacesIn(file, fields, name) };
  const requestsPerUnit = fields.count('requests_per_unit', MAX_REQUESTS);
  if (fields.flag('unlimited')) {
    if (fields.has('unit')) fields.report('an unlimited rate_limit has no unit', 'unit');
    return { ...part, limit: 'unlimited' };
  }
  const unit = fields.oneOf('unit', UNITS);
  const missing = ['unit', 'requests_per_unit'].filter((each) => !fields.has(each));
  if (missing.length > 0) fields.report(`rate_limit needs ${missing.join(' and ')}, or unlimited: true`);
  if (unit === undefined || requestsPerUnit === undefined) return { ...part, limit: undefined };
  return { ...part, limit: { requestsPerUnit, unit, algorithm } };
}

function replacesIn(file: YamlFile, limit: Fields, ownName: string): string[] {
  return limit.list('replaces').flatMap((item) => {
    const fields = openFields(file, item, 'an item of replaces', ['name']);
    if (fields === undefined) return [];
    const name = fields.text('name');
    if (name === '') fields.report('an item of replaces needs the name of another limit');
    if (name !== '' && name === ownName) fields.report(`the limit ${JSON.stringify(name)} cannot replace itself`);
    return [name];
  });
}
