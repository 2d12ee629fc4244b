import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z.strictObject({
  path: z.string().min(1).describe('Folder; made when it is missing.'),
  name: z
    .string()
    .min(1)
    .default('{service_name}-{__name__}-{time}-{seq}')
    .describe(
      'File name without its ending. `{key}` is an attribute of the profile, or `time`, `seq`, `tenant`; no value can leave the folder.',
    ),
  format: z
    .enum(['pprof', 'otlp', 'otlp_json', 'folded', 'speedscope'])
    .optional()
    .describe(
      'Form in which profiles are written, whatever they came as; `otlp_json` is one line per request, `folded` one file per sample type (`{__type__}` in `name`). Unset writes each as it came.',
    ),
  max_files: z.int().min(1).default(1000).describe('Files to keep; the oldest goes first.'),
  max_bytes: fields.bytes().prefault('256MiB').describe('Bytes to keep; the oldest file goes first.'),
  max_age: fields.duration().prefault('24h').describe('Files older than this are deleted; 0 keeps them.'),
});
export type Config = z.output<typeof Config>;
