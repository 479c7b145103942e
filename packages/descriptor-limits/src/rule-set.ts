import { problemLines } from '@tollgate/yaml-file/yaml-file';
import type { DomainRules, Rule, RuleSet, RulesOfKey, RuleTable } from './rule.js';
import { type FileRule, parseRulesFile, type RulesFile } from './rules-file.js';

/** Either all rules, or everything that is wrong: sentences that begin with `file:line: `. */
export type RuleSetRead = { kind: 'rules'; rules: RuleSet; ruleCount: number } | { kind: 'refused'; problems: string[] };

/**
 * The rules of all files; those of one domain are merged. A descriptor that is there twice is refused, since which of the
 * two counted would depend on the names of files.
 */
export function readRuleSet(texts: readonly { name: string; text: string }[]): RuleSetRead {
  const files = texts.map(({ name, text }) => parseRulesFile(name, text));
  const domains = new Map<string, RulesFile[]>();
  for (const file of files) domains.set(file.domain, [...(domains.get(file.domain) ?? []), file]);
  const rules = new Map([...domains].map(([domain, ofDomain]) => [domain, domainOf(ofDomain)] as const));
  const problems = files.flatMap((file) => problemLines(file.name, file.problems));
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'rules', rules, ruleCount: countRules(files) };
}

function domainOf(files: readonly RulesFile[]): DomainRules {
  const [first] = files as [RulesFile, ...RulesFile[]];
  for (const file of files) {
    if (file.algorithm !== first.algorithm)
      file.report(file.domainLine, `${first.name} says algorithm: ${first.algorithm} for this domain: its files must agree`);
  }
  const merged = files.flatMap((file) => file.rules.map((rule) => ({ rule, file })));
  return { algorithm: first.algorithm, rules: tableOf(merged) };
}

interface Placed {
  rule: FileRule;
  file: RulesFile;
}

function tableOf(placed: readonly Placed[]): RuleTable {
  const keys = new Map<string, Placed[]>();
  for (const each of placed) {
    const ofKey = keys.get(each.rule.key);
    if (ofKey === undefined) keys.set(each.rule.key, [each]);
    else ofKey.push(each);
  }
  return new Map([...keys].map(([key, ofKey]) => [key, rulesOfKey(ofKey)] as const));
}

function rulesOfKey(placed: readonly Placed[]): RulesOfKey {
  const first = new Map<string | undefined, Placed>();
  const byValue = new Map<string, Rule>();
  const wildcards: Rule[] = [];
  let otherwise: Rule | undefined;
  for (const each of placed) {
    const { value, wildcard } = each.rule;
    const other = first.get(value);
    if (other !== undefined) reportTwin(each, other);
    else first.set(value, each);
    const rule = ruleOf(each);
    if (value === undefined) otherwise = rule;
    else if (wildcard === undefined) byValue.set(value, rule);
    else wildcards.push(rule);
  }
  return { byValue, wildcards, otherwise };
}

function ruleOf({ rule: { line: _, beneath, ...rule }, file }: Placed): Rule {
  return { ...rule, beneath: tableOf(beneath.map((each) => ({ rule: each, file }))) };
}

function reportTwin({ rule, file }: Placed, other: Placed): void {
  const what = rule.value === undefined ? 'without a value' : `with the value ${JSON.stringify(rule.value)}`;
  const where = other.file === file ? `line ${other.rule.line}` : `${other.file.name}:${other.rule.line}`;
  file.report(rule.line, `the key ${JSON.stringify(rule.key)} ${what} is there already, in ${where}`);
}

function countRules(files: readonly RulesFile[]): number {
  const countOf = (rules: readonly FileRule[]): number => rules.reduce((sum, { beneath }) => sum + 1 + countOf(beneath), 0);
  return files.reduce((sum, { rules }) => sum + countOf(rules), 0);
}
