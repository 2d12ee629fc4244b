import type { EntryView } from '../operations.ts';
import { describeBatch } from './codec.ts';
import type { FileEntry } from './database.ts';

/** An entry for people: what the file says of it and of its batch, without the bytes. */
export function viewOf(entry: FileEntry, payload: { batch: string; meta: string } | undefined): EntryView {
  const { id, queue, bytes, storedMs, attempts, dueMs, deadMs, reason, message } = entry;
  const dead = deadMs !== null;
  const own = {
    ...{ id, queue, bytes, storedMs, attempts },
    batch: payload?.batch ?? '',
    state: dead ? ('dead' as const) : ('pending' as const),
    ...(!dead && dueMs > 0 && { dueMs }),
    ...(dead && { deadMs, reason: reason ?? '', message: message ?? '' }),
  };
  const unknown = { signal: '', tenant: '', dialect: '', profiles: [] };
  if (!payload) return { ...own, ...unknown, problem: 'its payload is not in the file' };
  try {
    const { signal, tenant, dialect, receivedMs, profiles } = describeBatch(payload.meta);
    return { ...own, signal, tenant, dialect, receivedMs, profiles };
  } catch (error) {
    return { ...own, ...unknown, problem: `what describes it cannot be read: ${(error as Error).message}` };
  }
}
