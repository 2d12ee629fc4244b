import { z } from 'zod';

export const Config = z.strictObject({
  verbosity: z
    .enum(['basic', 'detailed'])
    .default('basic')
    .describe('`detailed` adds sample types with totals, period, duration and counts, which costs an inflate.'),
});
export type Config = z.output<typeof Config>;
