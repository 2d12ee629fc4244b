/** The longest delay that a timer of Node.js keeps, ms: 24.8 days. What is longer overflows and fires after 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `act` after `ms`, however long that is. Returns what calls it off. */
export function after(ms: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number) => {
    timer = setTimeout(
      () => (leftMs > MAX_TIMER_MS ? wait(leftMs - MAX_TIMER_MS) : act()),
      Math.min(leftMs, MAX_TIMER_MS),
    );
  };
  wait(ms);
  return () => clearTimeout(timer);
}

/** An end that can be moved up to now. Its timer keeps the process alive until it was `met`. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** It is over now. */
  cut(): void;
  /** Everybody was in time: nothing fires any more. */
  met(): void;
}

export function deadlineIn(ms: number): Deadline {
  const end = new AbortController();
  const met = after(ms, () => end.abort());
  return {
    signal: end.signal,
    cut: () => {
      met();
      end.abort();
    },
    met,
  };
}
