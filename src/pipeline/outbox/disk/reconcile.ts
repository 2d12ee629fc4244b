import type { Schedule } from '../schedule.ts';
import { entryOf, type Held, type Stored } from './held.ts';
import type { StoredEntry } from './messages.ts';

type Owed = readonly [queue: string, held: Held];

/**
 * What a file that took the place of a damaged one lacks of what is owed: `again` is in memory and can be written once more,
 * `lost` is not.
 * @param safe entries that the file has, or is about to get
 */
export function reconcile(
  safe: (key: number) => boolean,
  queues: ReadonlyMap<string, Schedule<Held>>,
  unopened: ReadonlyMap<string, readonly Held[]>,
): { lost: Owed[]; again: ReadonlyMap<Stored, StoredEntry[]> } {
  const lost: Owed[] = [];
  const again = new Map<Stored, StoredEntry[]>();
  const check = (name: string, owed: Iterable<Held>, taken?: ReadonlySet<Held>) => {
    for (const held of owed) {
      const { key, stored } = held;
      if (safe(key)) continue;
      if (stored.batch) {
        const entries = again.get(stored) ?? [];
        entries.push(entryOf(held, name));
        again.set(stored, entries);
        // Whoever is reading it from the file hears by itself that it is gone.
      } else if (!taken?.has(held)) lost.push([name, held]);
    }
  };
  for (const [name, queue] of queues) check(name, [...queue.entries(), ...queue.leaving], queue.taken);
  for (const [name, waiting] of unopened) check(name, waiting);
  return { lost, again };
}
