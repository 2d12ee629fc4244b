import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z.strictObject({
  ...fields.client(),
  protocol: z
    .enum(['auto', 'push', 'ingest'])
    .default('auto')
    .describe(
      'Door of the store. `auto`: the one that a profile came in by, while that loses nothing; push.v1 for all others. `push`: push.v1, JFR and all other forms as pprof.',
    ),
  compression: z
    .enum(['gzip', 'none'])
    .default('none')
    .describe(
      '`gzip` compresses profiles on push.v1 that came uncompressed; by default they go out byte for byte as they came.',
    ),
  max_profile_size: fields
    .bytes()
    .prefault('4MiB')
    .describe('Largest profile the store takes, inflated; a larger one is split by its samples, all totals stay.'),
  max_samples: z
    .int()
    .min(1)
    .default(16_000)
    .describe('Samples that the store takes in a profile; one of more is split.'),
  max_label_names: z
    .int()
    .min(2)
    .default(30)
    .describe(
      'Labels that the store takes in a series. Of what came over OTLP the last ones beyond it are left out and counted.',
    ),
});
export type Config = z.output<typeof Config>;
