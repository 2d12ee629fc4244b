import type { Columns } from '../../model/columns/columns.ts';
import type { Form } from '../../model/payload.ts';
import { timesPeriod } from '../bounded.ts';
import { DecodeError } from '../decode-error.ts';

/** What the stacks of a form without types measure, as the application's name says it by its last part: `my.app.cpu`. */
export interface RawType {
  /** `__name__` of the series. */
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  /** Counts of samples that stand for time: with a rate they become nanoseconds. */
  readonly timed?: true;
}

const CPU: RawType = { name: 'process_cpu', type: 'cpu', unit: 'nanoseconds', timed: true };
const WALL: RawType = { name: 'wall', type: 'wall', unit: 'nanoseconds', timed: true };
const memory = (type: string, unit: string): RawType => ({ name: 'memory', type, unit });
const count = (name: string): RawType => ({ name, type: 'contentions', unit: 'count' });
const delay = (name: string): RawType => ({ name, type: 'delay', unit: 'nanoseconds' });

/** Pyroscope 2.1, pkg/ingester/pyroscope/ingest_adapter.go. */
const RAW_TYPES: ReadonlyMap<string, RawType> = new Map([
  ['cpu', CPU],
  ['itimer', CPU],
  ['wall', WALL],
  ['seconds', WALL],
  ['milliseconds', WALL],
  ['microseconds', WALL],
  ['nanoseconds', WALL],
  ['inuse_objects', memory('inuse_objects', 'count')],
  ['alloc_objects', memory('alloc_objects', 'count')],
  ['inuse_space', memory('inuse_space', 'bytes')],
  ['alloc_space', memory('alloc_space', 'bytes')],
  ['goroutines', { name: 'goroutine', type: 'goroutines', unit: 'count' }],
  ['mutex_count', count('mutex')],
  ['mutex_duration', delay('mutex')],
  ['block_count', count('block')],
  ['lock_count', count('block')],
  ['block_duration', delay('block')],
  ['lock_duration', delay('block')],
  ['alloc_in_new_tlab_objects', memory('alloc_in_new_tlab_objects', 'count')],
  ['alloc_in_new_tlab_bytes', memory('alloc_in_new_tlab_bytes', 'bytes')],
  ['alloc_outside_tlab_objects', memory('alloc_outside_tlab_objects', 'count')],
  ['alloc_outside_tlab_bytes', memory('alloc_outside_tlab_bytes', 'bytes')],
  ['live', memory('live', 'count')],
  ['exceptions', { name: 'exceptions', type: 'samples', unit: 'count' }],
  ['bytes', memory('samples', 'bytes')],
]);

const NANOSECONDS = 1_000_000_000;

/**
 * An application's name without its type, and the type: `cpu` where the name has no dot; undefined where the last part is no type.
 * @returns `suffix` as it stands in the name, with its dot, or ''
 */
export function rawTypeOf(app: string): { readonly app: string; readonly suffix: string; readonly raw?: RawType } {
  const dot = app.lastIndexOf('.');
  if (dot < 0) return { app, suffix: '', raw: CPU };
  const raw = RAW_TYPES.get(app.slice(dot + 1));
  return raw ? { app: app.slice(0, dot), suffix: app.slice(dot), raw } : { app, suffix: '' };
}

const RAW_FORMS: ReadonlySet<Form> = new Set(['groups', 'lines', 'tree', 'trie', 'speedscope']);

/** Whether /ingest tells the type of this form by the last part of the application's name. */
export const isRawForm = (form: Form): boolean => RAW_FORMS.has(form);

/** The application itself. */
export function applicationOf(app: string, form: Form): string {
  return isRawForm(form) ? rawTypeOf(app).app : app;
}

/** The name with which /ingest gets an application of this form again: with the type that it came with. */
export function suffixOf(app: string, form: Form): string {
  return isRawForm(form) ? rawTypeOf(app).suffix : '';
}

/** As `rawTypeOf`. @throws DecodeError unknown_profile_type */
export function neededRawType(name: string): { readonly app: string; readonly raw: RawType } {
  const { app, raw } = rawTypeOf(name);
  if (raw) return { app, raw };
  const known = ['.cpu', '.wall', '.alloc_space', '.inuse_space', '.mutex_duration'].join(', ');
  throw new DecodeError(
    'unknown_profile_type',
    `the application's name must end in what the stacks measure, such as ${known}, or have no dot`,
  );
}

/**
 * Gives columns of samples/count their type. Where they stand for time and a rate is known, each sample is worth a period.
 * @param sampleRate samples per second; 0 leaves counts
 * @throws DecodeError value_overflow
 */
export function applyRawType(columns: Columns, raw: RawType, sampleRate: number): void {
  if (raw.timed && sampleRate === 0) return;
  setType(columns, raw.type, raw.unit);
  if (!raw.timed) return;
  const period = BigInt(Math.trunc(NANOSECONDS / sampleRate));
  columns.periodType = { type: columns.strings.intern('cpu'), unit: columns.strings.intern('nanoseconds') };
  columns.period = period;
  timesPeriod(columns.samples, period);
}

/** Names the only sample type. */
export function setType(columns: Columns, type: string, unit: string): void {
  columns.sampleTypes = [{ type: columns.strings.intern(type), unit: columns.strings.intern(unit) }];
}
