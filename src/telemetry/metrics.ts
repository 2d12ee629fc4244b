// prom-client behind this one file; only own registries, never its global one. Its successor @prometheus-io/client has the same
// API: the swap is the import below.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Instrument, Meter, MetricLabels, MetricOptions } from '../api/index.ts';

type Kind = 'counter' | 'gauge' | 'histogram';
interface Metric {
  readonly kind: Kind;
  readonly labels: readonly string[];
  child(labels: MetricLabels): { write(value: number): void };
  remove(labels: MetricLabels): void;
}

/** All metrics of the process. Components that ask for the same name share a metric and differ by the label `id`. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, Metric>();
  readonly #collectors: (() => void)[] = [];

  /** The meter of one component. */
  meter(id: string): Meter {
    const make = (kind: Kind) => (name: string, options: MetricOptions) => this.#instrument(kind, name, options, id);
    return { counter: make('counter'), gauge: make('gauge'), histogram: make('histogram') };
  }

  /** Runs before each reading; for gauges that are cheaper to look up than to keep. */
  onCollect(refresh: () => void): void {
    this.#collectors.push(refresh);
  }

  /** Prometheus text format 0.0.4. */
  async render(): Promise<{ contentType: string; body: string }> {
    for (const refresh of this.#collectors) refresh();
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #instrument(kind: Kind, name: string, options: MetricOptions, id: string): Instrument {
    const labels = options.labels ?? [];
    let metric = this.#metrics.get(name);
    if (!metric) {
      metric = this.#create(kind, name, options, ['id', ...labels]);
      this.#metrics.set(name, metric);
    } else if (metric.kind !== kind || metric.labels.join() !== ['id', ...labels].join())
      throw new Error(`metric ${name} exists with another type or other labels`);
    return new BoundInstrument(metric, id, labels);
  }

  #create(kind: Kind, name: string, { help, buckets }: MetricOptions, labelNames: string[]): Metric {
    const common = { name, help, labelNames, registers: [this.#registry] };
    if (kind === 'counter') {
      const counter = new Counter(common);
      return {
        kind,
        labels: labelNames,
        child: labels => {
          // A data path counts often and is read seldom: prom-client hears of it when somebody reads.
          const tally = new Tally(counter.labels(labels));
          this.#collectors.push(() => tally.flush());
          return tally;
        },
        // A counter that goes and comes back would look like a restart.
        remove: () => {},
      };
    }
    if (kind === 'gauge') {
      const gauge = new Gauge(common);
      return {
        kind,
        labels: labelNames,
        child: labels => {
          const bound = gauge.labels(labels);
          return { write: value => bound.set(value) };
        },
        remove: labels => gauge.remove(labels),
      };
    }
    const histogram = new Histogram({ ...common, ...(buckets && { buckets: [...buckets] }) });
    return {
      kind,
      labels: labelNames,
      child: labels => {
        const bound = histogram.labels(labels);
        return { write: value => bound.observe(value) };
      },
      remove: () => {},
    };
  }
}

/** What a counter has counted since it was last read. */
class Tally {
  readonly #counter: { inc(value: number): void };
  #pending = 0;

  constructor(counter: { inc(value: number): void }) {
    this.#counter = counter;
    // So that it shows with 0 before it first counts.
    counter.inc(0);
  }

  write(value: number): void {
    if (!(value >= 0)) throw new RangeError('a counter cannot go down');
    this.#pending += value;
  }

  flush(): void {
    this.#counter.inc(this.#pending);
    this.#pending = 0;
  }
}

/** Keeps the bound children, since prom-client hashes the labels on every call otherwise. */
class BoundInstrument implements Instrument {
  readonly #metric: Metric;
  readonly #id: string;
  readonly #names: readonly string[];
  readonly #children = new Map<string, { write(value: number): void }>();

  constructor(metric: Metric, id: string, names: readonly string[]) {
    this.#metric = metric;
    this.#id = id;
    this.#names = names;
  }

  record(value: number, labels?: MetricLabels): void {
    const key = this.#key(labels);
    let child = this.#children.get(key);
    if (!child) {
      child = this.#metric.child({ id: this.#id, ...labels });
      this.#children.set(key, child);
    }
    child.write(value);
  }

  forget(labels: MetricLabels): void {
    if (this.#children.delete(this.#key(labels))) this.#metric.remove({ id: this.#id, ...labels });
  }

  #key(labels: MetricLabels | undefined): string {
    let key = '';
    if (labels) for (const name of this.#names) key += `${labels[name]}\n`;
    return key;
  }
}
