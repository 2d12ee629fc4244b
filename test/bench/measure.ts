const ROUNDS = 5;

/** CPU time of the process, its compiler and collector threads included, ms: a busy machine does not change it much. */
function round(times: number, work: () => void): number {
  const start = process.cpuUsage();
  for (let n = 0; n < times; n++) work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Median of five rounds, µs of CPU per call; the Go programs measure the same way. @param ms time for all rounds */
export function measure(work: () => void, ms: number): number {
  const budget = ms / ROUNDS;
  let times = 1;
  for (let took = round(times, work); took < budget && times < 1e6; took = round(times, work))
    times = Math.ceil(took > budget / 10 ? (times * budget) / took : times * 2);
  const rounds = Array.from({ length: ROUNDS }, () => round(times, work) / times);
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1]! * 1000;
}
