// What people read of queues.
import type { EntryView, ProfileView, QueueTally, Tally } from '../pipeline/outbox/operations.ts';
import { plain, table } from '../terminal.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

/** The largest unit and the next: `2d3h`, `41s`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [d, h, m, s] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  if (d > 0) return `${d}d${h}h`;
  if (h > 0) return `${h}h${m}m`;
  return m > 0 ? `${m}m${s}s` : `${s}s`;
}

export function tallyTable(queues: readonly QueueTally[], nowMs: number): string {
  const oldest = ({ oldestMs }: Tally) => (oldestMs === undefined ? '-' : ageText(nowMs - oldestMs));
  const rows = queues.map(({ queue, read, pending, inFlight, dead }) => [
    plain(queue),
    String(pending.batches),
    bytesText(pending.bytes),
    oldest(pending),
    String(inFlight),
    dead
      .map(one => `${plain(one.reason)} ${one.batches} (${bytesText(one.bytes)}, oldest ${oldest(one)})`)
      .join(', ') || '-',
    read ? '' : 'no exporter reads it',
  ]);
  const head = ['QUEUE', 'PENDING', 'BYTES', 'OLDEST', 'IN FLIGHT', 'DEAD LETTERS', ''];
  return table('lllllll', [head, ...rows]);
}

export function entryText(entry: EntryView, nowMs: number): string {
  const { id, state, storedMs, attempts, bytes, tenant, dueMs, deadMs, reason, message, batch, profiles, problem } =
    entry;
  const tries = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
  const waits = dueMs !== undefined && dueMs > nowMs ? [`next in ${ageText(dueMs - nowMs)}`] : [];
  const whose = tenant === '' ? [] : [`tenant ${plain(tenant)}`];
  const head = [`${id}`, state, `stored ${ageText(nowMs - storedMs)} ago`, tries, ...waits, bytesText(bytes), ...whose];
  const lines = [`${head.join('  ')}  batch ${plain(batch).slice(0, 12)}`];
  if (deadMs !== undefined)
    lines.push(`  ${plain(reason ?? '')} ${ageText(nowMs - deadMs)} ago: ${plain(message ?? '')}`);
  if (problem !== undefined) lines.push(`  ${plain(problem)}`);
  for (const profile of profiles) lines.push(`  ${profileText(profile)}`);
  return `${lines.join('\n')}\n`;
}

function profileText({ labels, form, encoding, bytes, origin }: ProfileView): string {
  const { __name__: name = '', ...others } = labels;
  const pairs = Object.entries(others).map(([key, value]) => `${plain(key)}="${plain(value)}"`);
  const packed = encoding === 'identity' ? form : `${form} ${encoding}`;
  const door = typeof origin?.door === 'string' && origin.door !== '' ? `  by ${plain(origin.door)}` : '';
  return `${plain(name)}{${pairs.join(', ')}}  ${packed}  ${bytesText(bytes)}${door}`;
}
