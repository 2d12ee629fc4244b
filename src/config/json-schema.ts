// The JSON Schema of a whole configuration file, so that editors complete, explain and check it. Made from the list of components.

import { outbox } from '../api/fields.ts';
import type { Factory } from '../api/index.ts';
import { IGNORED_PROCESSOR, IGNORED_PROCESSOR_NOTE } from './collector.ts';
import { SECTION_KINDS, SECTIONS } from './components.ts';
import { inputSchema, type JsonSchema } from './input-schema.ts';
import { outboxKeys } from './outbox.ts';
import type { Section } from './plan.ts';
import { service } from './service.ts';

const ABOUT: Readonly<Record<Section, string>> = {
  receivers: 'Where profiles come in, by `type` or `type/name`.',
  processors: 'What is done on the way; one instance per pipeline.',
  exporters: 'Where profiles go.',
  connectors: 'What ends one pipeline and begins another.',
  extensions: 'What components find by id.',
};
/** `${env:NAME}` may stand for any scalar; an editor must not call it a mistake. */
const REFERENCE: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/** Draft 2020-12. */
export function fileSchema(factories: readonly Factory[]): JsonSchema {
  const defs: Record<string, JsonSchema> = {};
  const properties: Record<string, JsonSchema> = {};
  for (const section of SECTIONS) {
    const kinds = SECTION_KINDS[section];
    const patterns: Record<string, JsonSchema> = {};
    for (const factory of factories)
      if (kinds.includes(factory.kind)) patterns[idPattern(factory.type)] = component(factory, defs);
    if (section === 'processors')
      patterns[idPattern(IGNORED_PROCESSOR)] ??= {
        deprecated: true,
        description: `Does nothing here: ${IGNORED_PROCESSOR_NOTE}.`,
      };
    properties[section] = {
      description: ABOUT[section],
      type: ['object', 'null'],
      patternProperties: patterns,
      additionalProperties: false,
    };
  }
  const settings = tidy(inputSchema(service), defs, 'service');
  const { additionalProperties: pipeline, propertyNames: _, ...pipelines } = settings.properties!.pipelines!;
  properties.service = {
    ...settings,
    description: 'What runs: pipelines, extensions, and what the gateway says of itself.',
    properties: {
      ...settings.properties,
      pipelines: {
        ...pipelines,
        patternProperties: { '^(profiles|traces|metrics)(/.+)?$': pipeline as JsonSchema },
        additionalProperties: false,
      },
    },
  };
  properties.plugins = {
    description: 'Modules with further components: paths from this file, or names of packages.',
    type: ['array', 'null'],
    items: { type: 'string' },
  };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'flamegate configuration',
    type: 'object',
    properties,
    additionalProperties: false,
    ...(Object.keys(defs).length > 0 ? { $defs: defs } : {}),
  };
}

function idPattern(type: string): string {
  return `^${type}(/.+)?$`;
}

function component(factory: Factory, defs: Record<string, JsonSchema>): JsonSchema {
  const own = tidy(inputSchema(factory.config), defs, `${factory.kind}.${factory.type}`);
  const keys = outboxKeys(factory);
  const schema = keys ? withOutbox(own, keys, defs) : own;
  const description = `${factory.summary} (${factory.kind}, ${factory.stability})`;
  // Nothing after `debug:` means all defaults, where nothing is required.
  const type = schema.type === 'object' && !schema.required?.length ? { type: ['object', 'null'] } : {};
  return { ...schema, ...type, description };
}

function withOutbox(own: JsonSchema, keys: ReadonlySet<string>, defs: Record<string, JsonSchema>): JsonSchema {
  const all = tidy(inputSchema(outbox), defs, 'outbox').properties!;
  const shared = Object.fromEntries(Object.entries(all).filter(([key]) => keys.has(key)));
  if (own.properties) return { ...own, properties: { ...own.properties, ...shared } };
  // A union, or a schema of a library that prints none: allow what it allows, and the shared keys beside it.
  const { anyOf, oneOf, ...rest } = own;
  const choices = anyOf ?? oneOf;
  if (choices) return { ...rest, anyOf: choices.map(choice => withOutbox(choice, keys, defs)) };
  return { ...own, properties: shared };
}

/**
 * A component's schema as part of the file's: its definitions move to the root under names of their own, references to the
 * environment are allowed, and format names that only flamegate has (`duration` means ISO 8601 elsewhere) go.
 */
function tidy(schema: JsonSchema, defs: Record<string, JsonSchema>, owner: string): JsonSchema {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const { $defs, format, default: fallback, examples, ...rest } = value as JsonSchema;
    const out: Record<string, unknown> = Object.fromEntries(
      Object.entries(rest).map(([key, inner]) => [key, walk(inner)]),
    );
    if (typeof out.$ref === 'string')
      out.$ref = out.$ref.replace(/^#(?:\/\$defs\/(.+))?$/, (_, name) => `#/$defs/${owner}.${name ?? 'root'}`);
    if (format !== undefined && format !== 'duration' && format !== 'bytes') out.format = format;
    if (fallback !== undefined) out.default = fallback;
    if (examples !== undefined) out.examples = examples;
    if (out.maximum === Number.MAX_SAFE_INTEGER) delete out.maximum;
    for (const [name, inner] of Object.entries($defs ?? {})) defs[`${owner}.${name}`] = walk(inner) as JsonSchema;
    return isStrictScalar(out) ? orReference(out) : out;
  };
  // Only a schema that refers to itself as a whole has to be found under a name.
  const whole = walk(schema) as JsonSchema;
  if (JSON.stringify(whole).includes(`"#/$defs/${owner}.root"`)) defs[`${owner}.root`] = whole;
  return whole;
}

function isStrictScalar(schema: JsonSchema): boolean {
  if (schema.const !== undefined) return false;
  return (
    schema.type === 'number' || schema.type === 'integer' || schema.type === 'boolean' || schema.enum !== undefined
  );
}

function orReference(schema: JsonSchema): JsonSchema {
  const { description, default: fallback, deprecated, ...constraint } = schema;
  return {
    ...(description !== undefined ? { description } : {}),
    ...(fallback !== undefined ? { default: fallback } : {}),
    ...(deprecated !== undefined ? { deprecated } : {}),
    anyOf: [constraint, REFERENCE],
  };
}
