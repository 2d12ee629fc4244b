// What only OTLP has a place for, counted where it becomes something else.
import type { Columns } from '../../model/columns/columns.ts';
import { TIMES, VALUES } from '../../model/columns/observations.ts';
import type { OtlpFields } from '../../model/columns/otlp-fields.ts';
import type { Losses } from './losses.ts';

/** What the groups of one ResourceProfiles have in common, once. */
export function countOfResource(groups: readonly Columns[], losses: Losses): void {
  const [first] = groups;
  if (first?.otlp?.schemaUrl) losses.add('otlp_schema_url');
  if (first?.otlp?.resourceDroppedAttributes) losses.add('otlp_dropped_attributes');
  losses.add('otlp_resource_field', first?.otlp?.resourceFields.length ?? 0);
  let before = -1;
  for (const { otlp, labels, strings } of groups) {
    const scope = otlp!.scope!;
    if (scope.index === before) continue;
    before = scope.index;
    if (scope.schemaUrl) losses.add('otlp_schema_url');
    if (scope.droppedAttributes) losses.add('otlp_dropped_attributes');
    let says = scope.name !== 0 || scope.version !== 0;
    for (let label = scope.firstAttribute; label !== 0; label = labels.next[label]!)
      says ||= !strings.text(labels.key[label]!).startsWith('pprof.scope.');
    if (says) losses.add('otlp_scope');
  }
}

/** What one group says and other forms do not. */
export function countOtlp(columns: Columns, otlp: OtlpFields, losses: Losses): void {
  const { samples, labels } = columns;
  losses.add('otlp_mapping_attribute', otlp.mappingAttributes);
  losses.add('otlp_location_attribute', otlp.locationAttributes);
  losses.add('otlp_unknown_field', otlp.unknownFields);
  losses.add('otlp_dropped_attributes', Number(otlp.droppedAttributes > 0));
  losses.add('otlp_profile_id', otlp.types.filter(({ profileId }) => profileId?.some(byte => byte !== 0)).length);
  losses.add('otlp_original_payload', otlp.types.filter(({ payload }) => payload).length);
  let attributes = 0;
  let lastKey = -1;
  for (let label = otlp.firstAttribute; label !== 0; label = labels.next[label]!) {
    if (labels.key[label] !== lastKey) attributes++;
    lastKey = labels.key[label]!;
  }
  losses.add('otlp_profile_attribute', attributes);
  countObservations(otlp, samples.count * samples.width, losses);
  const { raw } = labels;
  if (!raw) return;
  let values = 0;
  for (let sample = 0; sample < samples.count; sample++)
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!)
      if (raw[label] !== 0) values++;
  losses.add('otlp_attribute_value', values);
}

function countObservations({ observations }: OtlpFields, cells: number, losses: Losses): void {
  const { kind, start, end } = observations!;
  let timestamps = 0;
  let summed = 0;
  for (let cell = 0; cell < cells; cell++) {
    if (kind[cell]! < VALUES) continue;
    const count = end[cell]! - start[cell]!;
    if (kind[cell] !== VALUES) timestamps += count;
    if (kind[cell] !== TIMES && count > 1) summed++;
  }
  losses.add('otlp_timestamp', timestamps);
  losses.add('otlp_values', summed);
}
