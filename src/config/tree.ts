// Configuration between text and checked values: a tree whose every node remembers where it was written and what filled it in.
import type { Place } from './source.ts';

/** What an expansion took a value from. */
export interface From {
  readonly kind: 'env' | 'file' | 'fallback';
  /** Name of the variable, or path of the file; for `fallback` the variable that was not set. */
  readonly name: string;
}

interface Head {
  /** Where the value is written; for what came in by an expansion, where that stands. */
  readonly at: Place;
  /**
   * The text that an expansion gave, before it was read as YAML. A target that wants a string gets this: `0123` from the
   * environment is a number or "0123" depending on who asks.
   */
  readonly text?: string;
  readonly from?: readonly From[];
}
export interface Scalar extends Head {
  readonly kind: 'scalar';
  readonly value: null | boolean | number | string;
  /** Its expansion failed and was reported; what schemas say about it is noise. */
  readonly broken?: true;
}
export interface Entry {
  /** Where the key is written. */
  readonly key: Place;
  readonly value: Node;
}
export interface Mapping extends Head {
  readonly kind: 'mapping';
  readonly entries: ReadonlyMap<string, Entry>;
}
export interface List extends Head {
  readonly kind: 'list';
  readonly items: readonly Node[];
}
/** Immutable: merging and expanding make new nodes. Acyclic, at most `MAX_DEPTH` deep. */
export type Node = Scalar | Mapping | List;

export type Path = readonly (string | number)[];

/** How a node that its schema would not take as it is was handed over instead; see validate. */
export type Readings = ReadonlyMap<Node, 'text' | 'absent'>;

/** The node as a plain value. Keys such as `__proto__` become own properties. */
export function plain(node: Node, readings?: Readings): unknown {
  if (readings?.get(node) === 'text') return node.text;
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(item => plain(item, readings));
  const pairs: [string, unknown][] = [];
  for (const [key, { value }] of node.entries)
    if (readings?.get(value) !== 'absent') pairs.push([key, plain(value, readings)]);
  return Object.fromEntries(pairs);
}

/** The node at a path, or undefined. */
export function nodeAt(node: Node, path: Path): Node | undefined {
  let here: Node | undefined = node;
  for (const key of path) {
    if (here?.kind === 'mapping') here = here.entries.get(String(key))?.value;
    else if (here?.kind === 'list') here = here.items[Number(key)];
    else return undefined;
  }
  return here;
}

/** Whether nothing, or `null`, is written. */
export function isNull(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.value === null;
}

/** Where to point for a path: the value there; for what is not there, the key of the nearest parent that is. */
export function placeOf(node: Node, path: Path, fallback: Place): Place {
  const exact = nodeAt(node, path);
  if (exact) return exact.kind === 'scalar' && exact.value === null ? keyPlace(node, path, fallback) : exact.at;
  for (let length = path.length - 1; length > 0; length--)
    if (nodeAt(node, path.slice(0, length))) return keyPlace(node, path.slice(0, length), fallback);
  return fallback;
}

/** Where the key at a path is written; for list items, where the item is. */
export function keyPlace(node: Node, path: Path, fallback: Place): Place {
  const parent = nodeAt(node, path.slice(0, -1));
  const last = path.at(-1);
  if (last === undefined) return fallback;
  if (parent?.kind === 'mapping') return parent.entries.get(String(last))?.key ?? fallback;
  return parent?.kind === 'list' ? (parent.items[Number(last)]?.at ?? fallback) : fallback;
}

/** `exporters.pyroscope/a.headers`, items as `[0]`; keys that are not words in quotes. */
export function pathText(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`;
      const word = /^[\w/-]+$/.test(key) ? key : JSON.stringify(key);
      return index === 0 ? word : `.${word}`;
    })
    .join('');
}
