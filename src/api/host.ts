import type { Profile, Signal } from '../model/batch.ts';
import type { Memory } from '../model/memory.ts';
import type { OtlpAsked, OtlpReceived } from '../model/otlp.ts';
import type { Origin, Payload } from '../model/payload.ts';
import type { Examined, Summary } from '../model/summary.ts';
import type { Component } from './component.ts';
import type { Listen } from './fields.ts';
import type { Protocol } from './http.ts';

/** The only door out of a component: what it needs of the process comes from here, so that tests can hand in anything. */
export interface Host {
  /** `type` or `type/name`, as in the configuration. */
  readonly id: string;
  readonly log: Logger;
  readonly metrics: Meter;
  readonly clock: Clock;
  readonly memory: Memory;
  /** A port of the process. It opens at start; it outlives a reload and is shared by every protocol that names it. */
  listen(at: Listen, protocol: Protocol): Component;
  /**
   * Looks at all of a profile in any form but OTLP before it is acknowledged; larger ones on a worker thread.
   * @param origin how it came: /ingest says in its query what some forms leave open
   * @throws DecodeError what is wrong with it, or `memory_limit` with a delay where there is no room now
   */
  examine(payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>, maxBytes: number, origin?: Origin): Promise<Examined>;
  /**
   * Makes of an OTLP request what travels inside: protobuf, profiles in the 1.10 layout, all of it checked. Larger ones on a worker thread.
   * @throws DecodeError as `examine`; unsupported_version, and what the codec says of bytes that are no request
   */
  otlp(bytes: Uint8Array, asked: OtlpAsked): Promise<OtlpReceived>;
  /** Types, time, counts, totals, of several profiles in one payload all together; memoised per payload. Undefined for bytes that do not parse. */
  summary(profile: Profile): Promise<Summary | undefined>;
  /** For receivers of several signals: whether a pipeline of this one names the component now. A reload may change it. */
  wanted(signal: Signal): boolean;
  /** An extension by id, or undefined when `service.extensions` does not list it. */
  extension<T>(id: string): T | undefined;
  /** Health as the status API shows it. `degraded`: works, but an operator should look. `fatal`: cannot work again. */
  report(health: Health, why?: Error): void;
}

export type Health = 'ok' | 'degraded' | 'fatal';

/** Fixed lower-case phrases plus fields, never interpolation. Secrets and payload bytes do not belong in fields. */
export interface Logger {
  debug(phrase: string, fields?: object): void;
  info(phrase: string, fields?: object): void;
  warn(phrase: string, fields?: object): void;
  error(phrase: string, fields?: object): void;
}

export type MetricLabels = Readonly<Record<string, string>>;
export interface Instrument {
  /** Counter: adds. Gauge: sets. Histogram: observes. */
  record(value: number, labels?: MetricLabels): void;
  /** What these labels name is gone: not shown any more, until it is recorded again. */
  forget?(labels: MetricLabels): void;
}
export interface MetricOptions {
  readonly help: string;
  readonly labels?: readonly string[];
  /** Histogram bounds, base units. */
  readonly buckets?: readonly number[];
}
/** Names are `flamegate_<noun>_<unit>[_total]`, base units; `id` is added as a label. Asking twice gives the same instrument. */
export interface Meter {
  counter(name: string, options: MetricOptions): Instrument;
  gauge(name: string, options: MetricOptions): Instrument;
  histogram(name: string, options: MetricOptions): Instrument;
}

export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Resolves after `ms`, or at once when `abort` fires; never rejects. */
  sleep(ms: number, abort?: AbortSignal): Promise<void>;
}
