import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z
  .strictObject({
    limit_mib: z.int().min(1).describe('Resident memory that the process may have, MiB.'),
    spike_limit_mib: z
      .int()
      .min(0)
      .optional()
      .describe('Kept free below the limit for what comes between two checks, MiB; 20 % of the limit when unset.'),
    check_interval: fields.duration().prefault('1s').describe('Time between two looks at the resident memory.'),
  })
  .refine(c => (c.spike_limit_mib ?? 0) < c.limit_mib, {
    error: 'must be smaller than limit_mib',
    path: ['spike_limit_mib'],
  })
  .refine(c => c.check_interval > 0, { error: 'must be longer than 0', path: ['check_interval'] });
export type Config = z.output<typeof Config>;
