// Words that OpenTelemetry Collector users bring along and that mean nothing here: what to write instead.

/** By the last two keys of the path. */
const KEYS: Readonly<Record<string, string>> = {
  'sending_queue.block_on_overflow': 'use `on_full: refuse`, which tells senders to wait',
  'sending_queue.wait_for_result': 'use `enabled: false`, which makes senders wait for the answer of the store',
  'sending_queue.batch': 'requests are never merged only to be larger; leave it out',
  'sending_queue.blocking': 'use `on_full: refuse`, which tells senders to wait',
  'telemetry.metrics': 'metrics are always served, at `/metrics` of `service.telemetry.admin.endpoint`',
  'telemetry.traces': 'the gateway writes no traces of itself; leave it out',
  'telemetry.resource': 'leave it out; use the `resource` processor for the attributes of profiles',
  'logs.encoding': 'logs are JSON unless they go to a terminal; leave it out',
  'logs.output_paths': 'logs go to stderr; leave it out',
  'service.profilesSupport': 'profiles need no gate; leave it out',
};

/** A hint for a key that the Collector has at this place and flamegate has not. */
export function collectorHint(key: string, parent: string | undefined): string | undefined {
  const place = `${parent ?? ''}.${key}`;
  return Object.hasOwn(KEYS, place) ? KEYS[place] : undefined;
}

/** A processor type that is accepted for the sake of existing files, and left out of the plan. */
export const IGNORED_PROCESSOR = 'batch';
export const IGNORED_PROCESSOR_NOTE = 'requests are never merged only to be larger; leave it out';

const SECTIONS: Readonly<Record<string, string>> = {
  pipelines: 'service.pipelines',
  telemetry: 'service.telemetry',
  receiver: 'receivers',
  processor: 'processors',
  exporter: 'exporters',
  connector: 'connectors',
  extension: 'extensions',
};

/** Where a key belongs that stands at the top by mistake. */
export function sectionHint(key: string): string | undefined {
  return Object.hasOwn(SECTIONS, key) ? `did you mean \`${SECTIONS[key]}\`?` : undefined;
}
