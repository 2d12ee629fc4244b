import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z
  .strictObject({
    interval: fields.duration().prefault('10s').describe('One profile of each kind per interval.'),
    service_name: z.string().min(1).default('flamegate').describe('Label `service_name` of the profiles.'),
    cpu: z.boolean().default(true).describe('Profile CPU time.'),
    heap: z.boolean().default(true).describe('Profile what lives on the JavaScript heap.'),
    sampling_interval: fields.duration().prefault('10ms').describe('Time between two CPU samples.'),
  })
  .refine(c => c.interval >= 100, { error: 'must be at least 100ms', path: ['interval'] })
  .refine(c => c.sampling_interval >= 1, { error: 'must be at least 1ms', path: ['sampling_interval'] });
export type Config = z.output<typeof Config>;
