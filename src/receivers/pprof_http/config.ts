import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z.strictObject({
  ...fields.listen('127.0.0.1:4050'),
  validate: z
    .enum(['full', 'header'])
    .default('full')
    .describe('What is checked before a profile is acknowledged: every byte of it, or only how it begins (faster).'),
  max_body_size: fields.bytes().prefault('16MiB').describe('Longest request body.'),
  max_inflated_size: fields
    .bytes()
    .prefault('64MiB')
    .describe('Longest body once it is inflated; beyond 1 MiB also at most 200 times its size.'),
  max_label_names: z.int().min(1).default(30).describe('Labels that a profile may have.'),
});
export type Config = z.output<typeof Config>;
