// The series of a profile as `name` of /ingest says it.
import type { Attributes } from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';
import { formatName, type SeriesName } from '../../wire/pyroscope/name.ts';

/** Application of a profile that names no service. */
export const DEFAULT_SERVICE = 'unknown_service';
/** The label that alone of the `__` ones an /ingest store keeps. */
const SESSION = '__session_id__';

/** Labels of the store's own; /ingest ignores them in `name`, but for `__name__`, which it would take for the application. */
const isReserved = (key: string): boolean => key.startsWith('__') && key !== SESSION;

/**
 * The new `name` of a profile that came by /ingest; 'same' where no label changed, so that the received text stays byte for byte;
 * undefined when the syntax cannot say it. `suffix` is the type behind the application in forms that have none of their own.
 * A `service_name` beside the application stays beside it, else the application is the service.
 */
export function nameAfter(written: SeriesName, attributes: Attributes, suffix = ''): string | undefined | 'same' {
  const received = suffix === '' ? written : { ...written, app: written.app.slice(0, -suffix.length) };
  const serviceKey = keyIn(attributes, 'service_name');
  const service = labelText(serviceKey === undefined ? undefined : attributes.get(serviceKey)) ?? '';
  const explicit = received.labels.get('service_name') ?? '';
  if (isSame(received, attributes, serviceKey, service, explicit)) return 'same';
  const labels = new Map<string, string>();
  // The receiver keeps reserved labels back because the store ignores them; they stay in the name as they were.
  for (const [key, value] of received.labels) if (isReserved(key)) labels.set(key, value);
  addLabels(labels, attributes, serviceKey);
  if (explicit !== '' && service !== '') labels.set('service_name', service);
  return formatName({ app: (explicit === '' && service !== '' ? service : received.app) + suffix, labels });
}

function isSame(
  received: SeriesName,
  attributes: Attributes,
  serviceKey: string | undefined,
  service: string,
  explicit: string,
): boolean {
  // /ingest cannot say that there is no service: the application stays one.
  if (explicit === '' ? service !== '' && service !== received.app : service !== explicit) return false;
  for (const [key, value] of received.labels)
    if (!isReserved(key) && key !== 'service_name' && labelText(attributes.get(key)) !== value) return false;
  for (const [key, value] of attributes)
    if (key !== serviceKey && !isReserved(key) && !received.labels.has(key) && labelText(value) !== undefined)
      return false;
  return true;
}

/** `name` for a profile that was not born at /ingest; undefined when the syntax cannot say it. */
export function nameOf(attributes: Attributes): string | undefined {
  const serviceKey = keyIn(attributes, 'service_name');
  const labels = new Map<string, string>();
  addLabels(labels, attributes, serviceKey);
  const service = labelText(serviceKey === undefined ? undefined : attributes.get(serviceKey)) || DEFAULT_SERVICE;
  return formatName({ app: service, labels });
}

function addLabels(labels: Map<string, string>, attributes: Attributes, serviceKey: string | undefined): void {
  for (const [key, value] of attributes) {
    const text = labelText(value);
    if (key !== serviceKey && text !== undefined && !isReserved(key)) labels.set(key, text);
  }
}
