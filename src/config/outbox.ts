// The keys that what has a queue has beside its own: timeout, sending_queue, retry_on_failure.
import { type OutboxConfig, outbox } from '../api/fields.ts';
import type { Factory } from '../api/index.ts';
import type { Findings } from './finding.ts';
import type { Place } from './source.ts';
import { type Mapping, type Node, nodeAt, type Path, pathText, placeOf } from './tree.ts';
import { validate } from './validate.ts';

const EXPORTER_KEYS: ReadonlySet<string> = new Set(['timeout', 'sending_queue', 'retry_on_failure']);
/** What holds batches back answers when it likes: there is no time limit, and `timeout` is its own key. */
const HOLDER_KEYS: ReadonlySet<string> = new Set(['sending_queue', 'retry_on_failure']);

/** The keys of a component's outbox; undefined for a component that has none. */
export function outboxKeys(factory: Factory): ReadonlySet<string> | undefined {
  if (factory.kind === 'exporter') return EXPORTER_KEYS;
  return factory.kind === 'processor' && factory.holds ? HOLDER_KEYS : undefined;
}

/** A Collector queue is counted in requests, this one in bytes: a plain number below this was surely meant as requests. */
const SMALL_QUEUE_BYTES = 64 * 1024;

/** `queue_size` where nothing is written and the queue lies on disk. */
const DISK_QUEUE_BYTES = 1024 ** 3;

/** Validates the keys of a component's outbox; undefined with findings. */
export async function checkOutbox(
  options: {
    keys: ReadonlySet<string>;
    body: Mapping;
    path: Path;
    at: Place;
    hint: (key: string, path: Path) => string | undefined;
  },
  findings: Findings,
  readings: Map<Node, 'text' | 'absent'>,
): Promise<{ value: OutboxConfig; input: unknown } | undefined> {
  const { keys, body, path, at, hint } = options;
  const own = new Map([...body.entries].filter(([key]) => keys.has(key)));
  const node: Mapping = { ...body, entries: own };
  const valid = await validate({ schema: outbox, node, path, at, hint }, findings, readings);
  if (!valid) return undefined;
  const { sending_queue: queue, retry_on_failure: retry } = valid.value;
  const place = (...keys: string[]) => placeOf(node, keys, at);
  const name = (...keys: string[]) => pathText([...path, ...keys]);
  const size = nodeAt(node, ['sending_queue', 'queue_size']);
  const plainNumber = size?.kind === 'scalar' && typeof size.value === 'number';
  let sound = true;
  if (queue.enabled && queue.sizer === 'requests' && !plainNumber) {
    const message = `${name('sending_queue', 'queue_size')}: must be a number of requests with \`sizer: requests\``;
    findings.error(
      place('sending_queue', 'queue_size'),
      message,
      'write queue_size: 1000, which is the default of the Collector',
    );
    sound = false;
  }
  if (queue.enabled && plainNumber && queue.sizer === 'bytes' && queue.queue_size < SMALL_QUEUE_BYTES) {
    const message = `${name('sending_queue', 'queue_size')}: a queue of ${queue.queue_size} bytes holds next to nothing`;
    findings.warn(
      place('sending_queue', 'queue_size'),
      message,
      'add `sizer: requests`, or write a size such as 64MiB',
    );
  }
  const least = (shorter: 'max_interval' | 'max_elapsed_time', longer: 'initial_interval' | 'max_interval') => {
    if (!retry.enabled || retry[shorter] >= retry[longer]) return;
    // Point at the one of the two that is written.
    const at = nodeAt(node, ['retry_on_failure', shorter]) ? shorter : longer;
    const message = `${name('retry_on_failure', shorter)}: is ${retry[shorter]} ms, shorter than ${longer}, which is ${retry[longer]} ms`;
    findings.error(place('retry_on_failure', at), message);
    sound = false;
  };
  least('max_interval', 'initial_interval');
  if (retry.max_elapsed_time > 0) {
    least('max_elapsed_time', 'initial_interval');
    least('max_elapsed_time', 'max_interval');
  }
  if (!sound) return undefined;
  const timeout = keys.has('timeout') ? valid.value.timeout : 0;
  const roomy = queue.storage !== undefined && !size ? { ...queue, queue_size: DISK_QUEUE_BYTES } : queue;
  return { ...valid, value: { ...valid.value, timeout, sending_queue: roomy } };
}
