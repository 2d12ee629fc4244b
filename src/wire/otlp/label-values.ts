import type { Columns } from '../../model/columns/columns.ts';
import { bytesField, writeAnyValue } from './any-value.ts';
import { ANY_VALUE, KEY_VALUE, LIST } from './fields.ts';

const rawOf = ({ labels }: Columns, label: number): number => labels.raw?.[label] ?? 0;

/** The AnyValue of one label, without its unit. */
export function anyValueOf(columns: Columns, label: number): Uint8Array {
  const { labels, strings } = columns;
  const raw = rawOf(columns, label);
  if (raw !== 0) return labels.encoded[raw - 1]!;
  return writeAnyValue(labels.isNumber(label) ? labels.number.at(label) : strings.text(labels.text[label]!));
}

/**
 * The AnyValue of labels that share a key, and the unit of the attribute as a row of columns. The unit of a list is that of its numbers;
 * where that cannot say it all, elements are `{value, unit}`.
 */
export function listOf(columns: Columns, list: readonly number[]): { value: Uint8Array; unit: number } {
  const { labels, strings } = columns;
  const [first] = list;
  const unit = labels.unit[first!]!;
  const isNumbers = list.every(label => labels.isNumber(label) && rawOf(columns, label) === 0);
  const shared =
    (isNumbers || strings.byteLength(unit) === 0) && list.every(label => strings.same(labels.unit[label]!, unit));
  const items = list.map(label => bytesField(LIST.values, element(columns, label, !shared)));
  return { value: bytesField(ANY_VALUE.array, Buffer.concat(items)), unit: shared ? unit : 0 };
}

function element(columns: Columns, label: number, withUnit: boolean): Uint8Array {
  const { labels, strings } = columns;
  const value = anyValueOf(columns, label);
  const unit = labels.unit[label]!;
  if (!withUnit || strings.byteLength(unit) === 0) return value;
  return bytesField(
    ANY_VALUE.kvlist,
    Buffer.concat([pair('value', value), pair('unit', writeAnyValue(strings.text(unit)))]),
  );
}

function pair(key: string, value: Uint8Array): Uint8Array {
  const content = Buffer.concat([bytesField(KEY_VALUE.key, Buffer.from(key)), bytesField(KEY_VALUE.value, value)]);
  return bytesField(LIST.values, content);
}

/** A chain of labels as attributes that have no units: key and AnyValue. */
export function attributesOf(columns: Columns, first: number): [key: string, value: Uint8Array][] {
  const { labels, strings } = columns;
  const byKey = new Map<string, number[]>();
  for (let label = first; label !== 0; label = labels.next[label]!) {
    const key = strings.text(labels.key[label]!);
    const list = byKey.get(key);
    if (list) list.push(label);
    else byKey.set(key, [label]);
  }
  return [...byKey].map(([key, list]) => [
    key,
    list.length === 1 ? anyValueOf(columns, list[0]!) : listOf(columns, list).value,
  ]);
}
