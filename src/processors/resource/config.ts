import { z } from 'zod';

const Action = z
  .strictObject({
    key: z.string().min(1).describe('Attribute name; `service_name` and `service.name` are one.'),
    value: z.union([z.string(), z.number(), z.boolean()]).optional().describe('New value; not for `delete`.'),
    action: z
      .enum(['insert', 'update', 'upsert', 'delete'])
      .describe('`insert` only where it is missing, `update` only where it is there, `upsert` always, `delete`.'),
  })
  .refine(({ action, value }) => (action === 'delete') === (value === undefined), {
    error: issue => {
      const { action } = issue.input as { action?: string };
      return action === 'delete' ? 'delete takes no value' : `${action} needs a value`;
    },
    path: ['value'],
  });

export const Config = z.strictObject({
  attributes: z.array(Action).min(1).describe('What to do, in this order.'),
});
export type Config = z.output<typeof Config>;
