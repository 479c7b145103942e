/** What a process exports, read from the page that Prometheus reads. */

export interface Series {
  name: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary';
  help: string;
  /** The values that were there, by label. */
  labels: ReadonlyMap<string, ReadonlySet<string>>;
}

const TYPE = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/;
const HELP = /^# HELP (\S+) (.*)$/;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The series of a page in the text format, without `ignored` labels. A histogram is one series, with `le` among its labels. */
export function parseSeries(page: string, ignored: readonly string[] = []): Series[] {
  const helps = new Map<string, string>();
  const found = new Map<string, Omit<Series, 'labels'> & { labels: Map<string, Set<string>> }>();
  for (const line of page.split('\n')) {
    const [, helped, help] = HELP.exec(line) ?? [];
    if (helped !== undefined && help !== undefined) helps.set(helped, help);
    const [, typed, type] = TYPE.exec(line) ?? [];
    if (typed !== undefined) {
      found.set(typed, { name: typed, type: type as Series['type'], help: helps.get(typed) ?? '', labels: new Map() });
    }
    const [, sample, labels = ''] = SAMPLE.exec(line) ?? [];
    if (sample === undefined) continue;
    const series = found.get(sample) ?? found.get(sample.replace(/_(bucket|sum|count)$/, ''));
    if (series === undefined) throw new Error(`a sample without a type: ${line}`);
    for (const [, label = '', value = ''] of labels.matchAll(LABEL)) {
      if (ignored.includes(label)) continue;
      const values = series.labels.get(label) ?? new Set();
      series.labels.set(label, values.add(value));
    }
  }
  return [...found.values()];
}

/** The names that an expression may use for it. */
export function namesOf({ name, type }: Series): string[] {
  if (type === 'histogram') return [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  return type === 'summary' ? [name, `${name}_sum`, `${name}_count`] : [name];
}
