import { askedBy, type Matcher, type Selector } from './promql.js';
import { namesOf } from './series.js';
import type { Exported } from './whole-system.js';

/** What Prometheus adds by itself, with the values that its configuration gives. */
export interface Scraped {
  jobs: readonly string[];
}

type Labels = ReadonlyMap<string, ReadonlySet<string>>;

/** Finds what an expression asks for and nobody exports: one sentence each. */
export function createSeriesCheck(exported: Exported, { jobs }: Scraped): (expression: string) => string[] {
  const known = new Map<string, Labels>([['up', addedLabels(jobs)]]);
  for (const [process, all] of Object.entries(exported)) {
    for (const series of all) {
      const service = process === 'envoy' ? [] : [['service', new Set([process])] as const];
      const labels = new Map([...series.labels, ...service, ...addedLabels(jobs)]);
      for (const name of namesOf(series)) known.set(name, merged(known.get(name), labels));
    }
  }
  return (expression) => {
    const { selectors, grouping } = askedBy(expression);
    const problems = selectors.flatMap((selector) => problemsOf(selector, known.get(selector.name)));
    const labels = new Set(selectors.flatMap(({ name }) => [...(known.get(name)?.keys() ?? [])]));
    return [...problems, ...grouping.filter((label) => !labels.has(label)).map((label) => `no series has the label ${label}`)];
  };
}

/** Any instance: addresses are the business of each installation. */
function addedLabels(jobs: readonly string[]): Labels {
  return new Map([
    ['job', new Set(jobs)],
    ['instance', new Set(['host:1'])],
  ]);
}

function merged(one: Labels | undefined, other: Labels): Labels {
  const all = new Map(one);
  for (const [label, values] of other) all.set(label, new Set([...(all.get(label) ?? []), ...values]));
  return all;
}

function problemsOf({ name, matchers }: Selector, labels: Labels | undefined): string[] {
  if (labels === undefined) return [`nobody exports ${name}`];
  return matchers.flatMap((matcher) => {
    const values = labels.get(matcher.label);
    if (values === undefined) return [`${name} has no label ${matcher.label}`];
    return alternativesOf(matcher)
      .filter((alternative) => matcher.label !== 'instance' && ![...values].some((value) => matches(alternative, value)))
      .map((alternative) => `${matcher.label} of ${name} is never ${alternative}`);
  });
}

/** Each alternative of a pattern must be met: a name that is gone hides behind one that is there. */
function alternativesOf({ op, value }: Matcher): string[] {
  return op === '=~' || op === '!~' ? value.split('|') : [value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')];
}

const matches = (pattern: string, value: string): boolean => new RegExp(`^(?:${pattern})$`).test(value);
