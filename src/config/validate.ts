// A node against a schema of any library, and the schema's complaints as findings that point at what was written.
import type { Schema, SchemaIssue } from '../api/schema.ts';
import type { Findings } from './finding.ts';
import { inputSchema, type JsonSchema, keysAt, schemasAt, wanted } from './input-schema.ts';
import { didYouMean, nearest } from './nearest.ts';
import type { Place } from './source.ts';
import { keyPlace, type Node, nodeAt, type Path, pathText, placeOf, plain } from './tree.ts';

export interface Target<C> {
  readonly schema: Schema<C>;
  readonly node: Node;
  /** Of the node from the root of the configuration, for messages. */
  readonly path: Path;
  /** Where to point when the complaint is about the node as a whole. */
  readonly at: Place;
  /** Keys that `node` has but another schema looks after. */
  readonly elsewhere?: ReadonlySet<string>;
  /** What to say of a key that the Collector knows and this house does not. */
  readonly hint?: (key: string, path: Path) => string | undefined;
}

export interface Valid<C> {
  readonly value: C;
  /** What the schema was given. */
  readonly input: unknown;
}

/** How a node that its schema would not take is handed over instead: its text before YAML, or left out (null). */
type Reading = 'text' | 'absent' | 'as it is';

/**
 * The parsed value, or undefined with findings. Two things that only the schema can decide are tried again: a value that came
 * in by a reference and is not wanted as number, boolean or list is given as the text that it was; a null that is not wanted
 * is taken as "not set". `readings` remembers both, for whoever prints the configuration.
 */
export async function validate<C>(
  target: Target<C>,
  findings: Findings,
  readings: Map<Node, 'text' | 'absent'>,
): Promise<Valid<C> | undefined> {
  const { node, schema } = target;
  const tried = new Map<Node, Reading>();
  for (;;) {
    const chosen = new Map<Node, 'text' | 'absent'>();
    for (const [at, reading] of tried) if (reading !== 'as it is') chosen.set(at, reading);
    const input = withoutKeys(plain(node, chosen), target.elsewhere);
    const result = await schema['~standard'].validate(input);
    if (!result.issues) {
      for (const [at, reading] of chosen) readings.set(at, reading);
      return { value: result.value, input };
    }
    const issues = result.issues.map(toIssue);
    if (tryAgain(node, issues, tried)) continue;
    const misspelt = misspeltKeys(issues, target);
    for (const issue of issues)
      if (issue.keys || !misspelt.has(JSON.stringify(issue.path))) report(issue, target, findings, chosen);
    return undefined;
  }
}

/** A schema's issue with a plain path and the fields that zod adds. */
interface Issue {
  readonly path: Path;
  readonly message: string;
  readonly code?: string;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
  readonly branches?: readonly (readonly Issue[])[];
}

function toIssue(raw: SchemaIssue): Issue {
  const more = raw as SchemaIssue & { code?: string; keys?: string[]; values?: unknown[]; errors?: SchemaIssue[][] };
  return {
    path: (raw.path ?? []).map(step => {
      const key = typeof step === 'object' ? step.key : step;
      return typeof key === 'number' ? key : String(key);
    }),
    message: raw.message,
    ...(more.code ? { code: more.code } : {}),
    ...(more.keys ? { keys: more.keys } : {}),
    ...(more.values ? { values: more.values } : {}),
    ...(Array.isArray(more.errors) ? { branches: more.errors.map(branch => branch.map(toIssue)) } : {}),
  };
}

/** Chooses another reading for nodes that were complained about; false when there is none left. Each node changes at most twice. */
function tryAgain(root: Node, issues: readonly Issue[], tried: Map<Node, Reading>): boolean {
  let changed = false;
  const complained = new Set<Node>();
  const visit = (issue: Issue, base: Path): void => {
    const path = [...base, ...issue.path];
    const node = nodeAt(root, path);
    if (node) complained.add(node);
    for (const branch of issue.branches ?? []) for (const inner of branch) visit(inner, path);
  };
  for (const issue of issues) if (issue.code !== 'unrecognized_keys') visit(issue, []);
  for (const node of complained) {
    const before = tried.get(node);
    if (before === undefined && node.text !== undefined && !(node.kind === 'scalar' && typeof node.value === 'string'))
      tried.set(node, 'text');
    else if (before === undefined && node.kind === 'scalar' && node.value === null && node !== root)
      tried.set(node, 'absent');
    // The text is no better: what it says about the typed value is what the writer meant.
    else if (before === 'text') tried.set(node, 'as it is');
    else continue;
    changed = true;
  }
  return changed;
}

function report<C>(
  issue: Issue,
  target: Target<C>,
  findings: Findings,
  chosen: ReadonlyMap<Node, 'text' | 'absent'>,
): void {
  const { node, at } = target;
  const json = inputSchema(target.schema);
  const parent = issue.path.slice(0, -1);
  const last = issue.path.at(-1);
  if (issue.keys) {
    for (const key of issue.keys) unknownKey([...issue.path, key], target, json, findings);
    return;
  }
  const here = nodeAt(node, issue.path);
  if (here && typeof last === 'string' && keysAt(json, parent)?.has(last) === false) {
    unknownKey(issue.path, target, json, findings);
    return;
  }
  if (isAfterBroken(node, issue.path)) return;
  const clearest = issue.branches && clearestBranch(issue.branches);
  if (clearest) {
    for (const inner of clearest) report({ ...inner, path: [...issue.path, ...inner.path] }, target, findings, chosen);
    return;
  }
  const name = pathText([...target.path, ...issue.path]);
  const place = issue.path.length === 0 ? at : placeOf(node, issue.path, at);
  if (
    typeof last === 'string' &&
    (here === undefined || chosen.get(here) === 'absent') &&
    isRequired(json, parent, last)
  ) {
    findings.error(
      place,
      `${pathText([...target.path, ...parent])}: \`${last}\` is required`,
      wantedHint(json, issue.path),
    );
    return;
  }
  const scalar = here?.kind === 'scalar' ? here.value : undefined;
  const choices = (issue.values ?? schemasAt(json, issue.path).flatMap(schema => schema.enum ?? [])).map(String);
  const near = typeof scalar === 'string' ? didYouMean(scalar, choices) : undefined;
  const quote =
    /expected string/.test(issue.message) && (typeof scalar === 'number' || typeof scalar === 'boolean')
      ? `write it in quotes: "${scalar}"`
      : undefined;
  findings.error(place, `${name}: ${sayIssue(issue, json)}`, near ?? quote);
}

/** Paths of keys that are missing only because they are misspelt: one mistake, one finding. */
function misspeltKeys<C>(issues: readonly Issue[], target: Target<C>): Set<string> {
  const json = inputSchema(target.schema);
  const paths = new Set<string>();
  for (const { path, keys } of issues) {
    for (const key of keys ?? []) {
      const meant = nearest(key, keysAt(json, path) ?? []);
      if (meant !== undefined && !nodeAt(target.node, [...path, meant])) paths.add(JSON.stringify([...path, meant]));
    }
  }
  return paths;
}

function unknownKey<C>(path: Path, target: Target<C>, json: JsonSchema, findings: Findings): void {
  const key = String(path.at(-1));
  const parent = path.slice(0, -1);
  const known = new Set(keysAt(json, parent));
  if (parent.length === 0) for (const other of target.elsewhere ?? []) known.add(other);
  const near = target.hint?.(key, parent) ?? didYouMean(key, known);
  const hint = near ?? (known.size > 0 && known.size <= 12 ? `known keys: ${[...known].join(', ')}` : undefined);
  const where = pathText([...target.path, ...parent]);
  findings.error(keyPlace(target.node, path, target.at), `${where}: unknown key \`${key}\``, hint);
}

/** zod says "Invalid input" of a union without saying of what; the JSON Schema knows what is wanted. */
function sayIssue(issue: Issue, json: JsonSchema): string {
  const message = issue.message.replace(/^Invalid input: /, '').replace(/^Invalid option: /, '');
  const types = /^expected (\w+), received (\w+)$/.exec(message);
  if (types) return `expected ${yamlWord(types[1]!)}, found ${yamlWord(types[2]!)}`;
  if (message !== 'Invalid input') return message.charAt(0).toLowerCase() + message.slice(1);
  const [schema] = schemasAt(json, issue.path);
  const want = schema && wanted(schema, json);
  if (want === undefined || want === 'any') return 'not a valid value';
  const examples = Array.isArray(schema?.examples) ? ` such as ${schema.examples.join(', ')}` : '';
  return `expected ${/^\w+$/.test(want) ? 'a ' : ''}${want}${examples}`;
}

/** A type as people who write YAML call it. */
function yamlWord(type: string): string {
  if (type === 'object' || type === 'record') return 'mapping';
  return type === 'array' ? 'list' : type === 'undefined' ? 'nothing' : type;
}

function wantedHint(json: JsonSchema, path: Path): string | undefined {
  const [schema] = schemasAt(json, path);
  const want = schema && wanted(schema, json);
  return want === undefined || want === 'any' ? undefined : `add it: ${String(path.at(-1))}: <${want}>`;
}

function isRequired(json: JsonSchema, parent: Path, key: string): boolean {
  const schemas = schemasAt(json, parent);
  // Without a schema, what is complained about and not there is taken to be missing.
  return schemas.every(schema => !schema.properties) || schemas.some(schema => schema.required?.includes(key));
}

/** The one branch of a union that got further than "this is another type"; undefined when there is none or several. */
function clearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const further = branches.filter(branch =>
    branch.every(issue => issue.path.length > 0 || (issue.code !== 'invalid_type' && issue.code !== 'invalid_value')),
  );
  return further.length === 1 ? further[0] : undefined;
}

/** Whether a complaint is about, within or around a value whose expansion failed; that was reported already. */
function isAfterBroken(root: Node, path: Path): boolean {
  for (let length = 0; length < path.length; length++) {
    const node = nodeAt(root, path.slice(0, length));
    if (node?.kind === 'scalar' && node.broken) return true;
  }
  const here = nodeAt(root, path);
  return here !== undefined && containsBroken(here);
}

function containsBroken(node: Node): boolean {
  if (node.kind === 'scalar') return node.broken === true;
  if (node.kind === 'list') return node.items.some(containsBroken);
  return [...node.entries.values()].some(entry => containsBroken(entry.value));
}

function withoutKeys(input: unknown, keys: ReadonlySet<string> | undefined): unknown {
  if (!keys || typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([key]) => !keys.has(key)));
}
