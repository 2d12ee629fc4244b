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
