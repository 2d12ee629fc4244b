import type { Profile, ProfileBatch, Summary } from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';
import { gzip } from '../../wire/gzip.ts';
import { IngestQuery } from '../../wire/pyroscope/ingest.ts';
import { parseSampleTypeConfig, profileName } from '../../wire/pyroscope/profile-name.ts';
import { encodePush } from '../../wire/pyroscope/push.ts';
import type { Config } from './config.ts';
import type { Upload } from './ingest.ts';
import { cutLabels } from './limits.ts';
import { DEFAULT_SERVICE } from './series.ts';

/** One profile as a PushRequest with one series: the server is not atomic over several. */
export async function pushBody(
  config: Config,
  batch: ProfileBatch,
  profile: Profile,
  summary: () => Promise<Summary | undefined>,
): Promise<Upload & { readonly cutLabels: number }> {
  const labels = await labelsOf(batch, profile, summary);
  // What came by a door of Pyroscope was checked there, against a bound that may be another one.
  const cut = batch.dialect === 'otel' ? cutLabels(labels, config.max_label_names) : 0;
  const { bytes, encoding } = profile.payload;
  const rawProfile = encoding === 'identity' && config.compression === 'gzip' ? await gzip(bytes) : bytes;
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    contentType: 'application/proto',
    cutLabels: cut,
    chunks: encodePush([{ labels: sorted, samples: [{ rawProfile, id: profile.origin?.sampleId ?? '' }] }]),
  };
}

async function labelsOf(
  batch: ProfileBatch,
  { attributes, origin }: Profile,
  summary: () => Promise<Summary | undefined>,
): Promise<Map<string, string>> {
  const labels = new Map<string, string>();
  const serviceKey = keyIn(attributes, 'service_name');
  for (const [key, value] of attributes) {
    const text = labelText(value);
    if (text !== undefined) labels.set(key === serviceKey && batch.dialect === 'otel' ? 'service_name' : key, text);
  }
  if (serviceKey !== undefined && serviceKey !== 'service_name' && !labels.has('service_name'))
    labels.set('service_name', labels.get(serviceKey) ?? '');
  if (!labels.get('service_name')) labels.set('service_name', DEFAULT_SERVICE);
  if (origin?.door === 'ingest') {
    // What the /ingest door of a store adds (Pyroscope 2.1: pyroscope_spy, __delta__) must be said here.
    const { spyName } = new IngestQuery(origin.query ?? '');
    labels.set('pyroscope_spy', spyName);
    labels.set('__delta__', 'false');
  }
  if (!labels.get('__name__')) {
    const config = origin?.parts?.sample_type_config;
    const types = (await summary())?.types ?? [];
    labels.set('__name__', profileName(types, config && parseSampleTypeConfig(config)) || 'unknown');
  }
  return labels;
}
