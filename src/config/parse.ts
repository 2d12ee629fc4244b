// YAML text → tree. Every mistake of syntax, duplicate keys, and aliases that explode are findings here.
import { type Alias, isAlias, isMap, isScalar, isSeq, parseDocument, type Node as YamlNode } from 'yaml';
import type { Findings } from './finding.ts';
import type { Place, Source } from './source.ts';
import type { Entry, Mapping, Node } from './tree.ts';

/** A configuration of this size is a mistake or an attack. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** Deeper nesting would only serve to exhaust the stack of whoever walks the tree. */
export const MAX_DEPTH = 64;
/** Nodes that aliases may add together; "billion laughs" needs more, honest reuse far fewer. */
export const MAX_ALIASED_NODES = 10_000;

export interface Parsed {
  /** Undefined when the text is empty, or not sound. */
  readonly node: Node | undefined;
  /** False, with findings, when the text cannot be read to its end: what follows from it would be guesses. */
  readonly sound: boolean;
}
const UNSOUND: Parsed = { node: undefined, sound: false };

/** Parses `text`, which stands at `offset` in `source`: a whole file, or the value of a `--set`. */
export function parseText(text: string, offset: number, source: Source, findings: Findings): Parsed {
  findings.source(source);
  const document = readYaml(text);
  if (document === 'too deep') {
    findings.error({ source, offset }, `nested more than ${MAX_DEPTH} levels deep`);
    return UNSOUND;
  }
  // The parser catches the exhaustion of its own stack here and there.
  if (document.errors.some(({ message }) => /call stack/i.test(message))) {
    findings.error({ source, offset }, `nested more than ${MAX_DEPTH} levels deep`);
    return UNSOUND;
  }
  for (const problem of document.errors.length > 0 ? firstOfEachSection(text, document) : []) {
    const line = source.line(source.position(offset + problem.at).line);
    const open = /\{[^}"']*(?<!["'])\$\{/.test(line)
      ? `inside {…} write references in quotes: "\${env:NAME}"`
      : undefined;
    findings.error({ source, offset: offset + problem.at }, `not valid YAML: ${sentence(problem.message)}`, open);
  }
  for (const problem of document.warnings)
    findings.error({ source, offset: offset + problem.pos[0] }, `not valid YAML: ${sentence(problem.message)}`);
  if (document.errors.length > 0 || document.warnings.length > 0) return UNSOUND;
  if (!document.contents) return { node: undefined, sound: true };
  const reader = new Reader(offset, source, findings);
  const node = reader.read(document.contents, 0);
  return reader.gaveUp ? UNSOUND : { node, sound: true };
}

/** The value that a text is when read as YAML; undefined when it is not YAML. Aliases and depth are bounded as above. */
export function parseValue(text: string, at: Place, findings: Findings): Node | undefined {
  const document = readYaml(text);
  if (document === 'too deep' || document.errors.length > 0 || document.warnings.length > 0) return undefined;
  if (!document.contents) return { kind: 'scalar', value: null, at };
  return new Reader(0, at.source, findings, at).read(document.contents, 0);
}

type YamlDocument = ReturnType<typeof parseDocument>;

function readYaml(text: string): YamlDocument | 'too deep' {
  try {
    // Duplicate keys are found while reading, in linear time and with both positions; merge keys are followed there too.
    return parseDocument(text, {
      uniqueKeys: false,
      merge: true,
      prettyErrors: false,
      resolveKnownTags: false,
      logLevel: 'silent',
    }) as YamlDocument;
  } catch (error) {
    // The parser is recursive; nothing but nesting exhausts its stack.
    if (error instanceof RangeError) return 'too deep';
    throw error;
  }
}

interface Problem {
  readonly at: number;
  readonly message: string;
}

/**
 * One mistake makes the parser stumble over everything behind it. So each section of the file, which begins with a key at the left
 * margin, is read for itself, and its first mistake counts; the file's own first one where no section has any.
 */
function firstOfEachSection(text: string, whole: YamlDocument): Problem[] {
  const margins = [...text.matchAll(/^[\w"'][^\n#]*?:(?=\s|$)/gm)].map(({ index }) => index);
  const starts = [0, ...margins.filter(at => at > 0)];
  const problems: Problem[] = [];
  for (const [n, start] of starts.entries()) {
    const document = readYaml(text.slice(start, starts[n + 1]));
    const first = document === 'too deep' ? undefined : document.errors[0];
    if (first) problems.push({ at: start + first.pos[0], message: first.message });
  }
  if (problems.length > 0) return problems;
  const { pos, message } = whole.errors[0]!;
  return [{ at: pos[0], message }];
}

class Reader {
  readonly #offset: number;
  readonly #source: Source;
  readonly #findings: Findings;
  /** Set for text from elsewhere: everything in it stands where its expansion does. */
  readonly #fixed: Place | undefined;
  readonly #open = new Set<YamlNode>();
  readonly #anchors = new Map<string, YamlNode>();
  readonly #targets = new Map<Alias, YamlNode>();
  #aliased = 0;
  #inAlias = 0;
  /** Of the outermost alias that is being followed. */
  #aliasAt: Place | undefined;
  /** A finding said why the rest was not read. */
  gaveUp = false;

  constructor(offset: number, source: Source, findings: Findings, fixed?: Place) {
    this.#offset = offset;
    this.#source = source;
    this.#findings = findings;
    this.#fixed = fixed;
  }

  read(node: YamlNode | null, depth: number, near?: YamlNode): Node {
    const at = this.#place(node ?? near);
    const nothing: Node = { kind: 'scalar', value: null, at };
    if (this.gaveUp || node === null) return nothing;
    if (this.#inAlias > 0 && ++this.#aliased > MAX_ALIASED_NODES)
      return this.#giveUp(this.#aliasAt ?? at, `aliases expand to more than ${MAX_ALIASED_NODES} values`);
    if (depth > MAX_DEPTH) return this.#giveUp(at, `nested more than ${MAX_DEPTH} levels deep`);
    if (isAlias(node)) return this.#alias(node, depth);
    if (this.#inAlias === 0 && 'anchor' in node && node.anchor) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#nested(node, () => this.#mapping(node.items as PairLike[], at, depth));
    if (isSeq(node))
      return this.#nested(node, () => ({
        kind: 'list',
        at,
        items: node.items.map(item => this.read(item as YamlNode | null, depth + 1, node)),
      }));
    return isScalar(node) ? { kind: 'scalar', at, value: scalarValue(node.value, node.source) } : nothing;
  }

  #alias(node: Alias, depth: number): Node {
    const at = this.#place(node);
    // An anchor may be given anew further down: what an alias means is settled where it is first read, in document order.
    const target = this.#targets.get(node) ?? this.#anchors.get(node.source);
    if (target) this.#targets.set(node, target);
    if (!target) return this.#giveUp(at, `alias \`*${node.source}\` has no anchor`);
    if (this.#open.has(target)) return this.#giveUp(at, `alias \`*${node.source}\` contains itself`);
    if (this.#inAlias++ === 0) this.#aliasAt = at;
    const value = this.read(target, depth);
    this.#inAlias--;
    return value;
  }

  #nested(node: YamlNode, read: () => Node): Node {
    this.#open.add(node);
    const value = read();
    this.#open.delete(node);
    return value;
  }

  #mapping(pairs: readonly PairLike[], at: Place, depth: number): Mapping {
    const entries = new Map<string, Entry>();
    const merged: Entry[] = [];
    for (const { key, value } of pairs) {
      const place = this.#place(key ?? undefined);
      if (key !== null && !isScalar(key)) {
        this.#findings.error(place, 'a key must be a plain word', 'write a string, or put it in quotes');
        continue;
      }
      const read: Entry = { key: place, value: this.read(value, depth + 1, key ?? undefined) };
      if (isMerge(key)) merged.push(read);
      else {
        const name = keyText(key);
        const first = entries.get(name);
        if (first) {
          const { line } = first.key.source.position(first.key.offset);
          this.#findings.error(place, `duplicate key \`${name}\``, `first written on line ${line}`);
        } else entries.set(name, read);
      }
    }
    for (const entry of merged) this.#merge(entry, entries);
    return { kind: 'mapping', at, entries };
  }

  /** `<<: *base`, `<<: [*a, *b]`: what is there already wins (yaml.org/type/merge.html). */
  #merge({ key, value }: Entry, into: Map<string, Entry>): void {
    for (const source of value.kind === 'list' ? value.items : [value]) {
      if (source.kind !== 'mapping') this.#findings.error(key, '`<<` takes a mapping or a list of mappings');
      else for (const [name, entry] of source.entries) if (!into.has(name)) into.set(name, entry);
    }
  }

  /** One finding for a document that cannot be read to its end; the rest of it would only repeat it. */
  #giveUp(at: Place, message: string): Node {
    if (!this.gaveUp) this.#findings.error(at, message);
    this.gaveUp = true;
    return { kind: 'scalar', value: null, at, broken: true };
  }

  #place(node: YamlNode | undefined): Place {
    return this.#fixed ?? { source: this.#source, offset: this.#offset + (node?.range?.[0] ?? 0) };
  }
}

interface PairLike {
  readonly key: YamlNode | null;
  readonly value: YamlNode | null;
}

function isMerge(key: YamlNode | null): boolean {
  return isScalar(key) && typeof key.value === 'symbol';
}

function keyText(key: YamlNode | null): string {
  if (!isScalar(key)) return '';
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function scalarValue(value: unknown, source: string | undefined): null | boolean | number | string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  return source ?? String(value);
}

function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
}
