/** A dashboard of Grafana from a few words: panels stand two in a row, in the order in which they are named. */

export interface Dashboard {
  /** The name of its file, and its address in Grafana. */
  uid: string;
  title: string;
  panels: readonly Panel[];
}

export interface Panel {
  title: string;
  /** What to see in it. */
  about: string;
  unit: 'reqps' | 's' | 'bytes' | 'percentunit' | 'short' | 'eps';
  /** Expressions by what stands in the legend, which may name labels: `{{instance}}`. */
  queries: Readonly<Record<string, string>>;
}

const WIDTH = 12;
const HEIGHT = 8;
/** The one that provisioning makes, or another that is chosen at the top. */
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

export function dashboardJson({ uid, title, panels }: Dashboard): string {
  const dashboard = {
    uid,
    title,
    tags: ['tollgate'],
    timezone: 'utc',
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', current: { text: 'Prometheus', value: 'prometheus' } },
      ],
    },
    panels: panels.map(panelJson),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelJson({ title, about, unit, queries }: Panel, index: number) {
  return {
    id: index + 1,
    type: 'timeseries',
    title,
    description: about,
    gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: Object.entries(queries).map(([legendFormat, expr], query) => ({
      refId: String.fromCharCode(65 + query),
      expr,
      legendFormat,
    })),
  };
}

/** The value that so large a share of what a histogram saw stays below. */
export function quantile(share: number, histogram: string, by = ''): string {
  const labels = ['le', ...(by === '' ? [] : [by])].join(', ');
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${histogram}[$__rate_interval])))`;
}

/** How much a counter grows in a second, all instances together. */
export function perSecond(counter: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by})`} (rate(${counter}[$__rate_interval]))`;
}
