import type { Clock } from '../api/index.ts';
import { after } from './timer.ts';

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, abort) =>
    new Promise(resolve => {
      if (abort?.aborted) {
        resolve();
        return;
      }
      const done = () => {
        callOff();
        abort?.removeEventListener('abort', done);
        resolve();
      };
      const callOff = after(ms, done);
      abort?.addEventListener('abort', done, { once: true });
    }),
};

/**
 * Real time as it was when this was made, and counted on since: for delays, ages and deadlines, which must not notice that
 * somebody sets the wall clock.
 */
export function steadyClock(): Clock {
  const startMs = Date.now() - performance.now();
  return { now: () => Math.round(startMs + performance.now()), sleep: systemClock.sleep };
}
