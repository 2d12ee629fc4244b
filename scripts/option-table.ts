// A config schema as a Markdown table: what the README of a component says of its options.

import type { Schema } from '../src/api/schema.ts';
import { inputSchema, type JsonSchema, wanted } from '../src/config/input-schema.ts';

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly meaning: string;
}

/** Nested keys dotted, items of lists as `key[].name`; a sentence when there is nothing to set. */
export function optionTable(schema: Schema<unknown>): string {
  const root = inputSchema(schema);
  const rows = rowsOf(root, root, '');
  if (rows.length === 0) return 'There is nothing to set.';
  const cells = rows.map(row => [`\`${row.key}\``, cell(row.type), row.fallback, cell(row.meaning)]);
  return [['key', 'type', 'default', 'meaning'], ['---', '---', '---', '---'], ...cells]
    .map(row => `| ${row.join(' | ')} |`)
    .join('\n');
}

function rowsOf(schema: JsonSchema, root: JsonSchema, prefix: string): Row[] {
  const rows: Row[] = [];
  const seen = new Set<string>();
  for (const branch of [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) {
    for (const [name, property] of Object.entries(branch.properties ?? {})) {
      if (seen.has(name)) continue;
      seen.add(name);
      const required = branch.required?.includes(name) === true && property.default === undefined;
      rows.push(...rowsOfKey(`${prefix}${name}`, property, required, root));
    }
  }
  return rows;
}

function rowsOfKey(key: string, property: JsonSchema, required: boolean, root: JsonSchema): Row[] {
  const type = wanted(property, root);
  const own: Row = {
    key,
    type,
    fallback: required ? 'required' : sayDefault(property.default),
    meaning: property.description ?? '',
  };
  const items = typeof property.items === 'object' ? rowsOf(property.items, root, `${key}[].`) : [];
  const values =
    typeof property.additionalProperties === 'object' ? rowsOf(property.additionalProperties, root, `${key}.*.`) : [];
  return [own, ...rowsOf(property, root, `${key}.`), ...items, ...values];
}

function sayDefault(value: unknown): string {
  // The defaults of a mapping stand in the rows of its keys.
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
