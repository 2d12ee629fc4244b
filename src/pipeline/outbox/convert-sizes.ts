// How much a conversion is: what goes into one task, and the memory that it takes.
import { type Profile, type ProfileBatch, sizeOfProfiles } from '../../model/batch.ts';
import { inflatedSizeOf, sizeAlone } from '../../workers/sizes.ts';

/** What one task converts at the most, bytes inflated and profiles: some 100 ms of the 10 s that a task has. One profile is one at least. */
const TASK_BYTES = 4 * 1024 * 1024;
const TASK_PROFILES = 1000;

/** Neighbours whose bytes, inflated, are about a task's worth. */
export function* chunksOf(profiles: readonly Profile[]): Generator<{ profiles: Profile[]; bytes: number }> {
  let chunk: Profile[] = [];
  let bytes = 0;
  for (const profile of profiles) {
    chunk.push(profile);
    bytes += profile.payload.form === 'otlp' ? sizeAlone(profile) : inflatedSizeOf(profile.payload);
    if (bytes < TASK_BYTES && chunk.length < TASK_PROFILES) continue;
    yield { profiles: chunk, bytes };
    chunk = [];
    bytes = 0;
  }
  if (chunk.length > 0) yield { profiles: chunk, bytes };
}

/** What converting takes for a moment: what the payloads inflate to, each once. */
export function roomFor(profiles: readonly Profile[]): number {
  let size = 0;
  for (const payload of new Set(profiles.map(profile => profile.payload))) size += inflatedSizeOf(payload);
  return size;
}

/** Bytes that a conversion put on the heap; what it left as it was is counted where it lies. */
export function madeBytes(ready: ProfileBatch, from: ProfileBatch): number {
  const given = new Set(from.profiles.map(({ payload }) => payload));
  return sizeOfProfiles(ready.profiles.filter(({ payload }) => !given.has(payload)));
}
