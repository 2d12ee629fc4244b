// The verb print-config: the configuration after merging and expanding, secrets masked, and on request where each value came from.
import { Document, isCollection, isPair, isScalar, type Node as YamlNode } from 'yaml';
import { type JsonSchema, schemasAt, step } from './input-schema.ts';
import { fileSchema } from './json-schema.ts';
import type { Resolved } from './load.ts';
import { isSecretName, REDACTED, redactUrl } from './secrets.ts';
import type { From, Node, Readings } from './tree.ts';

export interface PrintOptions {
  readonly format: 'yaml' | 'json';
  /** Also shows defaults, and says of every value where it came from. */
  readonly origin: boolean;
}

/** Text that ends with a line feed. In YAML origins are comments; in JSON each value becomes `{"value": …, "origin": …}`. */
export function printConfig(resolved: Resolved, options: PrintOptions): string {
  const schema = fileSchema(resolved.factories);
  const printer = new Printer(schema, resolved.readings, options.origin);
  const shown = printer.show(resolved.root, schemasAt(schema, []), false);
  if (options.format === 'json') return `${JSON.stringify(toJson(shown, options.origin), undefined, 2)}\n`;
  const document = new Document(toJson(shown, false));
  if (options.origin) comment(document.contents as YamlNode | null, shown);
  return document.toString({ lineWidth: 0 });
}

/** What is printed: plain values with their origins beside them. */
type Shown =
  | { readonly kind: 'value'; readonly value: unknown; readonly origin: string }
  | { readonly kind: 'list'; readonly items: readonly Shown[]; readonly origin: string }
  | { readonly kind: 'mapping'; readonly entries: ReadonlyMap<string, Shown>; readonly origin: string };

class Printer {
  readonly #schema: JsonSchema;
  readonly #readings: Readings;
  readonly #defaults: boolean;

  constructor(schema: JsonSchema, readings: Readings, defaults: boolean) {
    this.#schema = schema;
    this.#readings = readings;
    this.#defaults = defaults;
  }

  /** `secret`: the name of this value, or of a parent, says that it must not be shown. */
  show(node: Node, schemas: readonly JsonSchema[], secret: boolean): Shown {
    const hidden = secret || schemas.some(schema => schema.writeOnly === true);
    const origin = originOf(node);
    const asText = this.#readings.get(node) === 'text';
    if (this.#defaults && node.kind === 'scalar' && node.value === null && schemas.some(schema => schema.properties)) {
      const entries = new Map<string, Shown>();
      this.#fill(entries, schemas);
      return { kind: 'mapping', entries, origin };
    }
    if (node.kind === 'scalar' || asText)
      return { kind: 'value', value: masked(asText ? node.text : (node as { value: unknown }).value, hidden), origin };
    if (node.kind === 'list') {
      const items = node.items.map((item, index) => this.show(item, step(schemas, index, this.#schema), hidden));
      return { kind: 'list', items, origin };
    }
    const entries = new Map<string, Shown>();
    for (const [key, { value }] of node.entries) {
      if (this.#readings.get(value) === 'absent') continue;
      const named = value.kind !== 'mapping' && isSecretName(key);
      entries.set(key, this.show(value, step(schemas, key, this.#schema), hidden || named));
    }
    if (this.#defaults) this.#fill(entries, schemas);
    return { kind: 'mapping', entries, origin };
  }

  /** Adds what is not written and has a default, in the order of the schema. */
  #fill(entries: Map<string, Shown>, schemas: readonly JsonSchema[]): void {
    for (const schema of schemas) {
      for (const [key, property] of Object.entries(schema.properties ?? {})) {
        if (entries.has(key) || property.default === undefined) continue;
        entries.set(key, this.#default(property.default, step([schema], key, this.#schema)));
      }
    }
  }

  #default(value: unknown, schemas: readonly JsonSchema[]): Shown {
    const origin = 'default';
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'value', value, origin };
    const entries = new Map<string, Shown>();
    for (const [key, inner] of Object.entries(value))
      entries.set(key, this.#default(inner, step(schemas, key, this.#schema)));
    this.#fill(entries, schemas);
    return { kind: 'mapping', entries, origin };
  }
}

function masked(value: unknown, hidden: boolean): unknown {
  if (hidden && (typeof value === 'string' || typeof value === 'number')) return REDACTED;
  return typeof value === 'string' ? redactUrl(value) : value;
}

/** `config.yaml:7`, `--set`, and what references brought in: `config.yaml:7, env REGION`. */
function originOf({ at, from = [] }: Node): string {
  const place = at.source.name === '--set' ? '--set' : `${at.source.name}:${at.source.position(at.offset).line}`;
  return [...new Set([place, ...from.map(sayFrom)])].join(', ');
}

function sayFrom({ kind, name }: From): string {
  return kind === 'fallback' ? `default, env ${name} is not set` : `${kind} ${name}`;
}

function toJson(shown: Shown, origins: boolean): unknown {
  if (shown.kind === 'list') return shown.items.map(item => toJson(item, origins));
  if (shown.kind === 'mapping')
    return Object.fromEntries([...shown.entries].map(([key, value]) => [key, toJson(value, origins)]));
  return origins ? { value: shown.value, origin: shown.origin } : shown.value;
}

/** Hangs the origins onto the nodes of a document that was made from the same value. */
function comment(node: YamlNode | null, shown: Shown): void {
  if (node === null) return;
  if (isScalar(node)) node.comment = ` ${shown.origin}`;
  if (!isCollection(node)) return;
  const inner = shown.kind === 'list' ? shown.items : shown.kind === 'mapping' ? [...shown.entries.values()] : [];
  node.items.forEach((item, index) => {
    const here = inner[index];
    if (!here) return;
    if (!isPair(item)) comment(item as YamlNode, here);
    else if (isCollection(item.value) && item.value.items.length === 0) {
      // A comment behind `[]` or `{}` would break the line.
      if (isScalar(item.key)) item.key.commentBefore = ` ${here.origin}`;
    } else comment(item.value as YamlNode | null, here);
  });
}
