// OTLP as exporters are given it: small requests of several resources, by hand.

import type { Payload, Profile } from '../../../src/api/index.ts';
import type { Plain } from '../../../src/model/attributes.ts';
import type { ProfileBatch, TraceBatch } from '../../../src/model/batch.ts';
import { BatchId } from '../../../src/model/batch.ts';
import { skeletonOf } from '../../../src/wire/otlp/skeleton.ts';
import { dictionary } from '../../kit/otlp.ts';
import { bytes, number, text } from '../../kit/protobuf.ts';
import { batchOf } from './fixtures.ts';

/** One sample of stack 1 with attribute 1 and value 5, in the layout of 1.10. */
const PROFILE = [
  ...bytes(1, [...number(1, 1), ...number(2, 2)]),
  ...bytes(2, [...number(1, 1), ...bytes(2, [1]), ...bytes(4, [5])]),
];

const resource = (service: string) => bytes(1, bytes(1, [...text(1, 'service.name'), ...bytes(2, text(1, service))]));

/** One request on shared memory, with a resource for each service. */
export function payloadOf(...services: string[]): Payload {
  const request = [
    ...services.flatMap(service => bytes(1, [...resource(service), ...bytes(2, bytes(2, PROFILE))])),
    ...dictionary(2),
  ];
  const shared = Buffer.from(new SharedArrayBuffer(request.length));
  shared.set(request);
  return { form: 'otlp', encoding: 'identity', bytes: shared };
}

/** The profiles of payloads, as a receiver makes them. */
export function otlpBatch(payloads: readonly Payload[], head: Partial<ProfileBatch> = {}): ProfileBatch {
  const profiles: Profile[] = payloads.flatMap(payload =>
    skeletonOf(payload.bytes).parts.map(({ attributes }, part) => ({ attributes, payload, part })),
  );
  return batchOf(profiles, { dialect: 'otel', ...head });
}

/** With one more attribute on each profile. */
export function tagged(batch: ProfileBatch, key: string, value: Plain): ProfileBatch {
  const profiles = batch.profiles.map(one => ({ ...one, attributes: new Map([...one.attributes, [key, value]]) }));
  return { ...batch, profiles };
}

export function traceBatch(payload: Payload): TraceBatch {
  return {
    signal: 'traces',
    id: BatchId.of('id'),
    tenant: '',
    dialect: 'otel',
    receivedMs: 1,
    sizeBytes: payload.bytes.length,
    payload,
  };
}

/** `service.name` and what else each resource of a request has. */
export const resourcesOf = (request: Uint8Array): Record<string, Plain>[] =>
  skeletonOf(request).parts.map(({ attributes }) => Object.fromEntries(attributes));
