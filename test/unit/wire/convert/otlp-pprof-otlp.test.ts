// OTLP → pprof → OTLP keeps stacks, sums, links and attributes, but for what docs/fidelity.md lists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toOtlp } from '../../../../src/wire/convert/to-otlp.ts';
import { toPprof } from '../../../../src/wire/convert/to-pprof.ts';
import { CURRENT, capture, noCorpus } from '../../../kit/otlp.ts';
import { madeRequest } from '../../../kit/otlp-made.ts';
import { treeOf } from '../../../kit/otlp-tree.ts';

// biome-ignore lint/suspicious/noExplicitAny: a tree of plain values
type Tree = any;
const IDS = ['trace_id', 'span_id'];

const profilesOf = (raw: Uint8Array): Tree[] =>
  treeOf(raw).resources.flatMap((resource: Tree) => resource.scopes.flatMap((scope: Tree) => scope.profiles));
const samplesOf = (profile: Tree): Tree[] => profile.samples.map((sample: string) => JSON.parse(sample));
const attributesOf = (sample: Tree): [key: string, value: Tree, unit: string][] =>
  sample.attributes.map((one: string) => JSON.parse(one));

/** Whether pprof has labels for a value: a string, a number, or a list of two or more of them. */
const fits = (value: Tree, unit: string, isElement = false): boolean =>
  typeof value === 'string' ||
  typeof value?.int === 'string' ||
  (!isElement && Array.isArray(value) && value.length > 1 && unit === '' && value.every(one => fits(one, '', true)));

function meaning(raw: Uint8Array, lost: ReadonlySet<string>, withLinks: boolean): string[] {
  return profilesOf(raw)
    .flatMap(profile =>
      samplesOf(profile).map(sample => {
        const { stack, link, values, times } = sample;
        const sum =
          values.length > 0 ? values.reduce((all: bigint, one: string) => all + BigInt(one), 0n) : times.length;
        if (BigInt(sum) === 0n) return undefined;
        const isLink = link?.every((id: string) => /[^0]/.test(id));
        return JSON.stringify([
          profile.type,
          profile.periodType,
          profile.period,
          // Attributes of mappings and locations go, other than those that have a field.
          stack.map(([mapping, address, lines]: Tree) => [mapping.slice(0, 4), address, lines]),
          withLinks ? (isLink ? link : null) : null,
          attributesOf(sample).filter(([key]) => !lost.has(key)),
          String(sum),
        ]);
      }),
    )
    .filter(one => one !== undefined)
    .sort();
}

function same(raw: Uint8Array, name = ''): void {
  const attributes = profilesOf(raw).flatMap(profile => samplesOf(profile).flatMap(attributesOf));
  const lost = new Set(attributes.filter(([, value, unit]) => !fits(value, unit)).map(([key]) => key));
  const takesIds = attributes.some(([key]) => IDS.includes(key));
  // Ids of zeros are no labels, and one label alone is no link.
  for (const key of IDS) lost.add(key);
  const { length } = treeOf(raw).resources;
  const profiles = Array.from({ length }, (_none, part) => toPprof('otlp', raw, { part }).profiles).flat();
  const { bytes } = toOtlp(
    profiles.map(one => ({ attributes: new Map(), form: 'pprof', raw: one, about: { receivedMs: 1 } })),
  );
  const back = new Uint8Array(bytes);
  assert.equal(treeOf(back).resources.length, profiles.length, 'each profile is a part, in order');
  assert.deepEqual(meaning(back, lost, !takesIds), meaning(raw, lost, !takesIds), name);
}

test('real captures', { skip: noCorpus }, () => {
  for (const name of CURRENT) same(capture(name), name);
});

test('random requests', () => {
  fc.assert(
    fc.property(madeRequest, raw => same(raw)),
    { numRuns: 300 },
  );
});
