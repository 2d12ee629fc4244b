import { z } from 'zod';
import { fields } from '../../api/index.ts';

export const Config = z.strictObject({
  directory: z.string().min(1).describe('Folder of the queue file `queue.db`. It is made when it is missing.'),
  sync: z
    .enum(['full', 'normal'])
    .default('full')
    .describe(
      '`full` waits for the disk before it acknowledges: nothing is lost when the machine loses power. `normal` does not: nothing is lost when the process ends, however it ends.',
    ),
  dead_letters: z
    .strictObject({
      max_age: fields.duration().prefault('7d').describe('Delete what is older.'),
      max_bytes: fields.bytes().prefault('256MiB').describe('Delete the oldest beyond this.'),
    })
    .prefault({})
    .describe('What a store refused for good, or what was given up.'),
});
export type Config = z.output<typeof Config>;
