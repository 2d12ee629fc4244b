// The lines of the scorecard: which there are, and what each says.

/** All scenarios in the order of the card. A scenario without a row did not run. */
export const SCENARIOS = {
  kill: 'kill -9 at random moments under load, three exporters, one dead',
  'outage-memory': 'store down for 50 minutes (test clock), queue in memory',
  'outage-disk': 'store down for 50 minutes (test clock), queue on disk',
  access: 'store answers 401 for 10 minutes (test clock)',
  rejected: 'store refuses single profiles for good (400, 422)',
  sick: 'stores that are slow, flap, limit, answer half or not at all, beside a healthy one',
  'disk-full': 'disk full and back',
  'disk-read-only': 'disk turns read-only under the gateway, restart on the mended disk',
  'disk-errors': 'I/O errors on every write, and back',
  'damage-file': 'queue file truncated or one bit flipped at random places',
  'damage-log': 'log of a killed gateway truncated or one bit flipped at random places',
  clock: 'clock jumps: ±1 h, steps of −10 s',
  hostile: 'idle connections, slow heads and bodies, header floods, clients that never read',
  reload: 'reloads under load, every fourth with a mistake',
  overload: '10 × more than memory_limiter allows, store dead',
  stages: 'stages that throw, hang, eat memory, kill their worker',
} as const;
export type ScenarioId = keyof typeof SCENARIOS;

export interface Row {
  readonly id: ScenarioId;
  readonly held: boolean;
  readonly seed: number;
  repeats: number;
  acknowledged: number;
  lost: number;
  invented: number;
  altered: number;
  /** In flight at a fault. */
  doubled: number;
  /** Without such a reason. */
  repeated: number;
  readonly figures: Record<string, string>;
  /** Why it did not run. */
  skipped?: string;
}
