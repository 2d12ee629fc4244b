import { BatchId, type Profile } from '../model/batch.ts';
import type { Payload } from '../model/payload.ts';
import type { AnyBatch } from './outbox/store.ts';

/** The same batch with its bytes elsewhere. `copies` holds every range of `bytesOf(batch)`. Costs a few objects, no hash. */
export function moved(batch: AnyBatch, copies: ReadonlyMap<Uint8Array, Uint8Array>): AnyBatch {
  if (batch.signal === 'metrics') return batch;
  const id = movedId(batch.id, copies);
  const at = (payload: Payload): Payload => ({ ...payload, bytes: copies.get(payload.bytes)! });
  if (batch.signal === 'traces') return { ...batch, id, payload: at(batch.payload) };
  const payloads = new Map<Payload, Payload>();
  const profiles = batch.profiles.map((profile): Profile => {
    const payload = payloads.get(profile.payload) ?? at(profile.payload);
    payloads.set(profile.payload, payload);
    const parts = profile.origin?.parts;
    if (!parts) return { ...profile, payload };
    const kept = Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, copies.get(bytes)!]));
    return { ...profile, payload, origin: { ...profile.origin, parts: kept } };
  });
  return { ...batch, id, profiles };
}

/** An id that was not computed yet must not read where the bytes were. */
function movedId(id: BatchId, copies: ReadonlyMap<Uint8Array, Uint8Array>): BatchId {
  const { recipe } = id;
  if (typeof recipe === 'string') return id;
  const parts = recipe.map(part => (typeof part === 'string' ? part : copies.get(part)));
  return parts.every(part => part !== undefined) ? new BatchId(() => parts) : BatchId.of(id.hex);
}
