// Profiles out of a queue into files: each payload as it was received, and beside it what is known of the profile as JSON.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Encoding, Form } from '../api/index.ts';
import { endingOf } from '../model/payload.ts';
import type { EntryView, ProfileView } from '../pipeline/outbox/operations.ts';

/** Longest part of a name that comes from outside, characters. */
const MAX_NAME = 80;

/**
 * Writes the profiles of an entry; returns how many. A payload that several share is written once, and each has its own JSON.
 * @param bytes all that the entry holds
 */
export async function writeEntry(dir: string, file: string, entry: EntryView, bytes: Uint8Array): Promise<number> {
  const payloads = new Map<number, string>();
  for (const [n, profile] of entry.profiles.entries()) {
    const base = baseName(entry, n);
    let name = payloads.get(profile.at);
    if (name === undefined) {
      name = `${base}${endingOf(profile.form as Form, profile.encoding as Encoding)}`;
      payloads.set(profile.at, name);
      await writeFile(join(dir, name), bytes.subarray(profile.at, profile.at + profile.bytes));
    }
    await writeFile(
      join(dir, `${base}.json`),
      `${JSON.stringify(sidecar(file, entry, profile, name, bytes), undefined, 2)}\n`,
    );
  }
  return entry.profiles.length;
}

/** When it was stored, which queue, its number: nothing that a sender says, and no character that leads out of the folder. */
function baseName({ storedMs, queue, id }: EntryView, n: number): string {
  const time = new Date(storedMs).toISOString().replace(/[-:Z]/g, '');
  const name = queue.replace(/[^\w-]+/g, '_').slice(0, MAX_NAME);
  return `${time}-${name}-${id}-${n}`;
}

function sidecar(file: string, entry: EntryView, profile: ProfileView, payload: string, bytes: Uint8Array): object {
  const { id, queue, state, batch, tenant, dialect, signal, attempts, reason, message } = entry;
  const { labels, form, encoding, part, origin } = profile;
  const time = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  const { parts, ...came } = (origin ?? {}) as { parts?: Record<string, { at: number; bytes: number }> };
  const text = ({ at, bytes: length }: { at: number; bytes: number }) =>
    Buffer.from(bytes.subarray(at, at + length)).toString('base64');
  return {
    payload,
    ...{ labels, tenant, signal, dialect, form, encoding, part },
    ...{ queue, entry: id, batch, state, attempts, reason, message },
    received: time(entry.receivedMs),
    stored: time(entry.storedMs),
    dead: time(entry.deadMs),
    // What a store of the same door needs again; other parts of the request in base64.
    origin: origin && {
      ...came,
      ...(parts && { parts: Object.fromEntries(Object.entries(parts).map(([name, place]) => [name, text(place)])) }),
    },
    file,
  };
}
