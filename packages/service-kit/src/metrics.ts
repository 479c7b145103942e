/** Metrics of one service in a registry of its own, so that several services can live in one process. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { VERSION } from './version.js';

/** Whole, so that a metric is found by searching for its name. */
export type MetricName = `tollgate_${string}`;
/** Bounded values only: never a key, an organization or a path. */
export type Labels<Label extends string> = Readonly<Record<Label, string>>;

interface MetricOptions<Label extends string> {
  name: MetricName;
  help: string;
  labels?: readonly Label[];
}

export interface CounterChild {
  inc(by?: number): void;
}
export interface GaugeChild {
  set(value: number): void;
}
export interface HistogramChild {
  /** In the unit of the name: seconds or bytes. */
  observe(value: number): void;
}
/** Resolve the children once, where the service is made, and keep them: `with` is not for the hot path. */
export interface Family<Label extends string, Child> {
  with(labels: Labels<Label>): Child;
}

export interface Metrics {
  counter<const Label extends string = never>(options: MetricOptions<Label>): Family<Label, CounterChild>;
  /** `read` is asked at every scrape, for what is known elsewhere; it is for gauges without labels. */
  gauge<const Label extends string = never>(options: MetricOptions<Label> & { read?: () => number }): Family<Label, GaugeChild>;
  /** `buckets` are upper bounds, rising; the default suits calls of a tenth of a millisecond to a second, in seconds. */
  histogram<const Label extends string = never>(
    options: MetricOptions<Label> & { buckets?: readonly number[] },
  ): Family<Label, HistogramChild>;
  /** The page that Prometheus reads. */
  text(): Promise<string>;
  readonly contentType: string;
}

const DEFAULT_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** Makes the metrics of a service, with those of its process and `tollgate_build_info`. */
export function createMetrics(service: string, version: string = VERSION): Metrics {
  const registry = new Registry();
  const registers = [registry];
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });

  const metrics: Metrics = {
    counter({ name, help, labels = [] }) {
      const counter = new Counter({ name, help, labelNames: labels, registers });
      return {
        with(values) {
          counter.inc(values, 0); // A series that is there from the start can be alerted on.
          return counter.labels(values);
        },
      };
    },
    gauge({ name, help, labels = [], read }) {
      const gauge: Gauge = new Gauge({
        name,
        help,
        labelNames: labels,
        registers,
        ...(read && { collect: () => gauge.set(read()) }),
      });
      return { with: (values) => gauge.labels(values) };
    },
    histogram({ name, help, labels = [], buckets = DEFAULT_BUCKETS }) {
      const histogram = new Histogram({ name, help, labelNames: labels, registers, buckets: [...buckets] });
      return {
        with(values) {
          histogram.zero(values);
          return histogram.labels(values);
        },
      };
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };

  metrics
    .gauge({ name: 'tollgate_build_info', help: 'Always 1; the label tells what runs.', labels: ['version'] })
    .with({ version })
    .set(1);
  return metrics;
}
