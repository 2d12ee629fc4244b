// Loaded by worker threads only. No state outlives a call: what is found here is found anew for each profile.
import { KEEP, type Stage } from 'flamegate/api';

interface Config {
  readonly max: number;
  readonly name: string;
}

/** Keeps the `max` − 1 frames nearest the leaf, where the time goes, and one frame for all that called them. Values stay as they are. */
const stackDepth: Stage<Config> =
  ({ max, name }) =>
  (_profile, columns) => {
    const { samples, strings, functions, locations } = columns;
    let rest = 0;
    for (let sample = 0; sample < samples.count; sample++) {
      const start = samples.stackStart[sample]!;
      if (samples.stackEnd[sample]! - start <= max) continue;
      if (rest === 0) {
        const line = locations.lines.add(functions.add(strings.intern(name)));
        rest = locations.add(0);
        locations.lineStart[rest] = line;
        locations.lineEnd[rest] = line + 1;
      }
      // Stacks are leaf first, so the callers are at the end.
      samples.stack[start + max - 1] = rest;
      samples.stackEnd[sample] = start + max;
      columns.edited = true;
    }
    return KEEP;
  };
export default stackDepth;
