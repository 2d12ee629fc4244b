import { stage } from 'flamegate/api';
import { z } from 'zod';

export default stage({
  type: 'stack_depth',
  summary: 'Cuts stacks that are deeper than a store takes.',
  stability: 'alpha',
  home: import.meta.url,
  config: z.strictObject({
    max: z.int().min(2).default(1000).describe('Most frames of a stack, the one that stands for the rest included.'),
    name: z.string().min(1).default('truncated').describe('Function name of the frame that stands for the rest.'),
  }),
});
