import type { Clock } from '../api/index.ts';

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
        clearTimeout(timer);
        abort?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      abort?.addEventListener('abort', done, { once: true });
    }),
};
