// How long the scenarios run. Without variables the short form, as part of `npm test`; `npm run faults` sets the long one.

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback);

/** Draws every random moment, place and answer; printed with each scenario, so that a failure can be run again. */
export const SEED = number('FAULTS_SEED', Date.now() % 2 ** 31);
export const KILLS = number('FAULTS_KILLS', 20);
/** Places at which a queue file is damaged, and its log at a quarter as many. */
export const DAMAGES = number('FAULTS_DAMAGES', 48);
export const LOG_DAMAGES = Math.ceil(DAMAGES / 4);
export const RELOADS = number('FAULTS_RELOADS', 12);
/** Idle connections at a time. */
export const CONNECTIONS = number('FAULTS_CONNECTIONS', 1_000);
/** How long sick stores are fed, seconds. */
export const SECONDS = number('FAULTS_SECONDS', 1);
/** MiB that are offered to a gateway whose store is dead. */
export const OVERLOAD_MIB = number('FAULTS_OVERLOAD_MIB', 300);
/** Rounds in which a stage fails in each way. */
export const STAGE_FAULTS = number('FAULTS_STAGES', 4);
/** Whether to wait for what ends only after its full time, such as a body that comes byte by byte. */
export const PATIENT = process.env.FAULTS_PATIENT === '1';

/** What `npm run faults` sets, unless it is set already. */
export const LONG: Readonly<Record<string, string>> = {
  FAULTS_KILLS: '200',
  FAULTS_DAMAGES: '1000',
  FAULTS_RELOADS: '100',
  FAULTS_CONNECTIONS: '10000',
  FAULTS_SECONDS: '30',
  FAULTS_OVERLOAD_MIB: '4000',
  FAULTS_STAGES: '100',
  FAULTS_PATIENT: '1',
};
