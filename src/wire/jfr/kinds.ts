/** What a recording's events become: one profile per kind. Pyroscope's names (grafana/jfr-parser: pprof/pprof.go). */
export interface Kind {
  readonly name: string;
  readonly types: readonly (readonly [type: string, unit: string])[];
  readonly periodType?: readonly [type: string, unit: string];
  /** Values are counts of samples, each of which stands for a period. */
  readonly isTimed?: true;
}

const SPACE = ['space', 'bytes'] as const;
const allocations = (what: string): Kind => ({
  name: 'memory',
  types: [
    [`${what}_objects`, 'count'],
    [`${what}_bytes`, 'bytes'],
  ],
  periodType: SPACE,
});
const contentions = (name: string): Kind => ({
  name,
  types: [
    ['contentions', 'count'],
    ['delay', 'nanoseconds'],
  ],
  periodType: [name, 'count'],
});

export const CPU: Kind = {
  name: 'process_cpu',
  types: [['cpu', 'nanoseconds']],
  periodType: ['cpu', 'nanoseconds'],
  isTimed: true,
};
export const WALL: Kind = {
  name: 'wall',
  types: [['wall', 'nanoseconds']],
  periodType: ['wall', 'nanoseconds'],
  isTimed: true,
};
const IN_TLAB = allocations('alloc_in_new_tlab');
const OUTSIDE_TLAB = allocations('alloc_outside_tlab');
const ALLOCATION_SAMPLE = allocations('alloc_sample');
const MUTEX = contentions('mutex');
const BLOCK = contentions('block');
const LIVE: Kind = { name: 'memory', types: [['live', 'count']], periodType: ['objects', 'count'] };
const MALLOC: Kind = {
  name: 'memory',
  types: [
    ['malloc_objects', 'count'],
    ['malloc_bytes', 'bytes'],
  ],
};
/** In the order that profiles come in. */
export const KINDS = [CPU, WALL, IN_TLAB, OUTSIDE_TLAB, ALLOCATION_SAMPLE, MUTEX, BLOCK, LIVE, MALLOC] as const;

/** Fields of events that are read, by slot. */
export const EVENT_FIELDS = [
  'contextId',
  'spanId',
  'spanName',
  'traceIdHi',
  'traceIdLo',
  'stackTrace',
  'state',
  'samples',
  'tlabSize',
  'allocationSize',
  'weight',
  'size',
  'duration',
] as const;
const slotOf = (field: (typeof EVENT_FIELDS)[number]) => EVENT_FIELDS.indexOf(field);
/** The first of five that say what a sample belongs to. */
export const CORRELATION = 0;
export const STACK = slotOf('stackTrace');
export const STATE = slotOf('state');
export const SAMPLES = slotOf('samples');

/** What is read of an event whose kind its type alone says. */
export interface Rule {
  readonly kind: Kind;
  /** Slot of the second value, where it has one. The first is 1. */
  readonly value?: number;
  /** Whether that is in ticks of the chunk. */
  readonly isTicks?: true;
}

export const EXECUTION_SAMPLE = 'jdk.ExecutionSample';
export const WALL_CLOCK_SAMPLE = 'profiler.WallClockSample';
export const ACTIVE_SETTING = 'jdk.ActiveSetting';

export const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['jdk.ObjectAllocationInNewTLAB', { kind: IN_TLAB, value: slotOf('tlabSize') }],
  ['jdk.ObjectAllocationOutsideTLAB', { kind: OUTSIDE_TLAB, value: slotOf('allocationSize') }],
  ['jdk.ObjectAllocationSample', { kind: ALLOCATION_SAMPLE, value: slotOf('weight') }],
  ['jdk.JavaMonitorEnter', { kind: MUTEX, value: slotOf('duration'), isTicks: true }],
  ['jdk.ThreadPark', { kind: BLOCK, value: slotOf('duration'), isTicks: true }],
  ['profiler.LiveObject', { kind: LIVE }],
  ['profiler.Malloc', { kind: MALLOC, value: slotOf('size') }],
]);

/** Events of profilers that become no profile, as in Pyroscope. Others with a stack, such as the start of a thread, are no samples. */
export const UNUSED: ReadonlySet<string> = new Set([
  'datadog.ExecutionSample',
  'datadog.HeapLiveObject',
  'datadog.MethodSample',
  'datadog.ObjectSample',
  'jdk.CPUTimeSample',
  'jdk.CPUTimeSamplesLost',
  'jdk.MethodTiming',
  'jdk.MethodTrace',
  'jdk.NativeMethodSample',
  'jdk.OldObjectSample',
  'profiler.Free',
  'profiler.MethodTrace',
  'profiler.NativeLock',
  'profiler.WallClockSleeping',
]);
