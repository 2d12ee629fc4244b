import { z } from 'zod';
import { fields } from '../../api/index.ts';

const { endpoint, ...client } = fields.client();

export const Config = z
  .strictObject({
    endpoint: endpoint
      .optional()
      .describe(
        'Base URL of the store; `/v1development/profiles` and `/v1/traces` are added to it. Needed by each signal without a URL of its own.',
      ),
    profiles_endpoint: fields.url().optional().describe('Full URL for profiles, instead of one below endpoint.'),
    traces_endpoint: fields.url().optional().describe('Full URL for traces, instead of one below endpoint.'),
    ...client,
    encoding: z
      .enum(['proto', 'json'])
      .default('proto')
      .describe('Protobuf, or OTLP JSON, which costs far more and for which `wire_version` does not count.'),
    ...fields.otlpClient(),
  })
  .refine(
    c => c.endpoint ?? c.profiles_endpoint ?? c.traces_endpoint,
    'give endpoint, or profiles_endpoint and traces_endpoint for what is sent',
  );
export type Config = z.output<typeof Config>;
