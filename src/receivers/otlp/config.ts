import { z } from 'zod';
import { fields } from '../../api/index.ts';

const MIB = 1024 * 1024;

const Grpc = z.strictObject({
  ...fields.listen('127.0.0.1:4317'),
  keepalive: fields.keepalive().optional(),
  cors: fields.cors().optional(),
  max_recv_msg_size_mib: z
    .int()
    .min(1)
    .max(1024)
    .default(64)
    .describe('Longest message, MiB, compressed and not (the Collector: 4, which eBPF agents exceed).'),
});
const Http = z.strictObject({
  ...fields.listen('127.0.0.1:4318'),
  cors: fields.cors().optional(),
  max_request_body_size: fields
    .bytes()
    .prefault('64MiB')
    .describe('Longest request body, compressed and not; once inflated beyond 1 MiB also at most 200 times its size.'),
});

// A protocol that is written without anything behind it is on, with its defaults.
const grpc = Grpc.nullish().transform(value => (value === null ? Grpc.parse({}) : value));
const http = Http.nullish().transform(value => (value === null ? Http.parse({}) : value));

export const Config = z.strictObject({
  protocols: z
    .strictObject({
      grpc: grpc.describe('OTLP over gRPC, also as gRPC-Web.'),
      http: http.describe('OTLP over HTTP, protobuf and JSON. It may share the endpoint of a `pyroscope` receiver.'),
    })
    .refine(({ grpc, http }) => grpc !== undefined || http !== undefined, 'name at least one of grpc and http')
    .prefault({ grpc: null, http: null })
    .describe('What to listen with; both when it is left out.'),
  wire_version: z
    .enum(['auto', '1.8', '1.9', '1.10'])
    .default('auto')
    .describe(
      'Layout in which profiles arrive. `auto` tells it from the bytes of each request; name it where a sender’s cannot be told.',
    ),
  validate: z
    .enum(['full', 'header'])
    .default('full')
    .describe('What is checked before a request is acknowledged: every byte of it, or only its resources (faster).'),
});
export type Config = z.output<typeof Config>;

/** Bytes that a message may have, by the protocol it came by. */
export const limitOf = (protocol: { max_recv_msg_size_mib: number } | { max_request_body_size: number }): number =>
  'max_recv_msg_size_mib' in protocol ? protocol.max_recv_msg_size_mib * MIB : protocol.max_request_body_size;
