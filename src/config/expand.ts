// `${…}` in values, after parsing and merging, so that what was overridden need not resolve and no text can inject keys.
import { isAbsolute, join } from 'node:path';
import type { Findings } from './finding.ts';
import { didYouMean } from './nearest.ts';
import { parseValue } from './parse.ts';
import type { Entry, From, List, Mapping, Node, Scalar } from './tree.ts';

/** References inside references, `${env:${env:A}}`; more is a mistake. */
export const MAX_NESTING = 10;
/** Longest text that one `${file:path}` may bring. */
export const MAX_INCLUDED_BYTES = 1024 * 1024;

const VARIABLE = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Collector scheme syntax; a single letter would be a Windows drive. A `:-` begins a default, not an opaque part. */
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]+):(?!-)([\s\S]*)$/;

export interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file, at most `maxBytes` long; rejects with an errno error. */
  readonly read: (path: string, maxBytes: number) => Promise<string>;
  readonly findings: Findings;
}

/**
 * The tree with every `${env:NAME}`, `${env:NAME:-default}`, `${NAME}`, `${file:path}` replaced and `$$` turned into `$`.
 * Keys are left alone. Text that comes in is taken as it is: a `$` in a password is only a `$`. A scalar that is one
 * reference and nothing else becomes whatever its text is in YAML; beside other text it is text.
 */
export async function expand(node: Node, outside: Outside): Promise<Node> {
  if (node.kind === 'list') {
    const items: Node[] = [];
    for (const item of node.items) items.push(await expand(item, outside));
    return { ...node, items } satisfies List;
  }
  if (node.kind === 'mapping') {
    const entries = new Map<string, Entry>();
    for (const [name, entry] of node.entries)
      entries.set(name, { key: entry.key, value: await expand(entry.value, outside) });
    return { ...node, entries } satisfies Mapping;
  }
  if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
  return new Expansion(node, node.value, outside).run();
}

/** Thrown inside this file only, and always caught by `run`. */
class Problem extends Error {
  readonly index: number;
  readonly hint: string | undefined;
  constructor(index: number, message: string, hint?: string) {
    super(message);
    this.index = index;
    this.hint = hint;
  }
}

/** The expansion of one scalar, by recursive descent: text ::= ( `$$` | `${` text [ `:-` text ] `}` | any )*. */
class Expansion {
  readonly #node: Scalar;
  readonly #text: string;
  readonly #outside: Outside;
  readonly #from: From[] = [];
  #at = 0;

  constructor(node: Scalar, text: string, outside: Outside) {
    this.#node = node;
    this.#text = text;
    this.#outside = outside;
  }

  async run(): Promise<Node> {
    const { at } = this.#node;
    try {
      const whole = this.#text.startsWith('${') && closing(this.#text, 0) === this.#text.length - 1;
      const text = await this.#until(this.#text.length, 0, true);
      const from = this.#from;
      if (from.length === 0) return { kind: 'scalar', at, value: text };
      if (!whole) return { kind: 'scalar', at, value: text, from };
      const typed = parseValue(text, at, this.#outside.findings);
      // A string stays the text as it came: reading it as YAML would fold lines and cut off what looks like a comment.
      if (!typed || (typed.kind === 'scalar' && typeof typed.value === 'string'))
        return { kind: 'scalar', at, value: text, from };
      return { ...mark(typed, from), text };
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const offset = this.#offset(problem.index);
      this.#outside.findings.error({ source: at.source, offset }, problem.message, problem.hint);
      return { kind: 'scalar', at, value: '', broken: true };
    }
  }

  async #reference(depth: number, live: boolean): Promise<string> {
    const start = this.#at;
    if (depth > MAX_NESTING) throw new Problem(start, `references are nested more than ${MAX_NESTING} levels deep`);
    const end = closing(this.#text, start);
    if (end < 0) throw new Problem(start, '`${` is never closed', 'write `$${` where you mean the two characters');
    this.#at = start + 2;
    // Where a default begins is seen in the text as written, so that what a nested reference brings in cannot add one.
    const split = fallbackStart(this.#text, start + 2, end);
    const name = await this.#until(split ?? end, depth, live);
    const value = live ? await this.#resolve(name, start, split !== undefined) : '';
    if (split !== undefined) this.#at = split + 2;
    const fallback = split === undefined ? '' : await this.#until(end, depth, live && value === undefined);
    this.#at = end + 1;
    return value ?? fallback;
  }

  /** The text up to `end`, expanded. `live`: false walks over a default that is not needed, so that it need not resolve. */
  async #until(end: number, depth: number, live: boolean): Promise<string> {
    let out = '';
    while (this.#at < end) {
      const char = this.#text[this.#at]!;
      const next = this.#text[this.#at + 1];
      if (char === '$' && next === '{') out += await this.#reference(depth + 1, live);
      else {
        out += char;
        this.#at += char === '$' && next === '$' ? 2 : 1;
      }
    }
    return out;
  }

  /** The text that a reference means; undefined when its default is to be used. */
  async #resolve(reference: string, index: number, hasDefault: boolean): Promise<string | undefined> {
    const match = SCHEME.exec(reference);
    const scheme = match?.[1] ?? 'env';
    const opaque = match?.[2] ?? reference;
    if (scheme === 'file') {
      if (hasDefault) throw new Problem(index, `\`\${file:…}\` takes no default`);
      return this.#file(opaque, index);
    }
    if (scheme !== 'env') {
      const hint =
        didYouMean(scheme, ['env', 'file']) ??
        'there are `env` and `file`; write `$${` where you mean the two characters';
      throw new Problem(index, `unknown reference \`\${${scheme}:…}\``, hint);
    }
    if (!VARIABLE.test(opaque))
      throw new Problem(
        index,
        `\`${opaque}\` cannot be the name of an environment variable`,
        'write `$${` where you mean the two characters',
      );
    const value = Object.hasOwn(this.#outside.env, opaque) ? this.#outside.env[opaque] : undefined;
    if (value === undefined && !hasDefault)
      throw new Problem(
        index,
        `environment variable \`${opaque}\` is not set`,
        `set it, or give a default: \${env:${opaque}:-value}`,
      );
    this.#from.push({ kind: value === undefined ? 'fallback' : 'env', name: opaque });
    return value;
  }

  async #file(path: string, index: number): Promise<string> {
    if (path === '') throw new Problem(index, `\`\${file:}\` names no file`);
    const full = isAbsolute(path) ? path : join(this.#node.at.source.directory, path);
    try {
      const text = await this.#outside.read(full, MAX_INCLUDED_BYTES);
      this.#from.push({ kind: 'file', name: full });
      // Editors and `echo` end files with a line feed that is no part of a token.
      return text.replace(/\r?\n$/, '');
    } catch (error) {
      throw new Problem(index, `cannot read \`${full}\`: ${reasonOf(error)}`);
    }
  }

  /** Where an index of the value stands in the source; the start of the value when quoting or folding moved it. */
  #offset(index: number): number {
    const { source, offset } = this.#node.at;
    const line = source.text.slice(offset, offset + this.#text.length + 2);
    const shift = line.startsWith('"') || line.startsWith("'") ? 1 : 0;
    return line.slice(shift, shift + index + 2) === this.#text.slice(0, index + 2) ? offset + shift + index : offset;
  }
}

/** Index of the `}` that closes the `${` at `start`, or -1. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text.startsWith('$$', at)) at++;
    else if (text.startsWith('${', at)) {
      depth++;
      at++;
    } else if (text[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

/** Index of the `:-` that begins the default of a reference whose inside is [start, end), outside of nested ones. */
function fallbackStart(text: string, start: number, end: number): number | undefined {
  for (let at = start; at < end; at++) {
    if (text.startsWith('${', at)) {
      const close = closing(text, at);
      if (close < 0) return undefined;
      at = close;
    } else if (text.startsWith(':-', at)) return at;
  }
  return undefined;
}

/** Every node of a value that came in whole says where it came from. */
function mark(node: Node, from: readonly From[]): Node {
  if (node.kind === 'scalar') return { ...node, from };
  if (node.kind === 'list') return { ...node, from, items: node.items.map(item => mark(item, from)) };
  const entries = new Map<string, Entry>();
  for (const [key, entry] of node.entries) entries.set(key, { key: entry.key, value: mark(entry.value, from) });
  return { ...node, from, entries };
}

/** What went wrong with a file, as people say it. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const known: Record<string, string> = {
    ENOENT: 'no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of the path is not a directory',
  };
  return (code && known[code]) || (error instanceof Error ? error.message : String(error));
}
