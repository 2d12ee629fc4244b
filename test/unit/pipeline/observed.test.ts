import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricLabels } from '../../../src/api/index.ts';
import type { TraceBatch } from '../../../src/model/batch.ts';
import { Observer } from '../../../src/pipeline/observed.ts';
import { batchOf, silent } from './fixtures.ts';

test('profiles and traces count under names of their own', () => {
  const counted: [name: string, value: number, labels: MetricLabels | undefined][] = [];
  const made = (name: string) => ({
    record: (value: number, labels?: MetricLabels) => void counted.push([name, value, labels]),
  });
  const observer = new Observer({ counter: made, gauge: made, histogram: () => ({ record() {} }) }, silent);
  const profiles = batchOf(Buffer.alloc(7));
  const { profiles: _, ...head } = profiles;
  const traces: TraceBatch = { ...head, signal: 'traces', payload: profiles.profiles[0]!.payload };
  observer.settle(profiles, { kind: 'accepted' }, 0);
  observer.settle(traces, { kind: 'refused', reason: 'full' }, 0);
  assert.deepEqual(counted, [
    ['flamegate_profiles_total', 1, { outcome: 'accepted' }],
    ['flamegate_profile_bytes_total', 7, undefined],
    ['flamegate_trace_requests_total', 1, { outcome: 'refused' }],
    ['flamegate_trace_bytes_total', 7, undefined],
  ]);
});
