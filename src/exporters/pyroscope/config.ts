import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z.strictObject({
  ...fields.client(),
  protocol: z
    .enum(['auto', 'push', 'ingest'])
    .default('auto')
    .describe(
      'Door of the store. `auto`: the one that a profile came in by, while that loses nothing; push.v1 for all others.',
    ),
  compression: z
    .enum(['gzip', 'none'])
    .default('none')
    .describe(
      '`gzip` compresses profiles on push.v1 that came uncompressed; by default they go out byte for byte as they came.',
    ),
});
export type Config = z.output<typeof Config>;
