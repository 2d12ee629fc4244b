// Several sources, one tree: `--config` files from left to right, then each `--set`.
import type { Findings } from './finding.ts';
import { MAX_DEPTH, parseText } from './parse.ts';
import { Source } from './source.ts';
import type { Entry, Mapping, Node } from './tree.ts';

/** Mappings merge key by key; everything else, `null` included, replaces what was there. */
export function merge(base: Node, over: Node): Node {
  if (base.kind !== 'mapping' || over.kind !== 'mapping') return over;
  const entries = new Map<string, Entry>(base.entries);
  for (const [key, entry] of over.entries) {
    const before = entries.get(key);
    entries.set(key, before ? { key: entry.key, value: merge(before.value, entry.value) } : entry);
  }
  return { kind: 'mapping', at: over.at, entries };
}

/**
 * `a.b=value` as the tree `{a: {b: value}}`, the value read as YAML; undefined with a finding when it is not that. Keys that
 * hold a dot are written with the Collector's delimiter: `exporters::pyroscope/eu.west::endpoint=…`.
 */
export function parseSet(argument: string, findings: Findings): Mapping | undefined {
  const source = new Source('--set', '.', argument);
  const equals = argument.indexOf('=');
  const path = argument.slice(0, Math.max(0, equals));
  const delimiter = path.includes('::') ? '::' : '.';
  const keys = path.split(delimiter);
  if (keys.length > MAX_DEPTH) {
    findings.error({ source, offset: 0 }, `nested more than ${MAX_DEPTH} levels deep`);
    return undefined;
  }
  if (equals < 1 || keys.some(key => key.trim() === '')) {
    findings.error(
      { source, offset: 0 },
      `\`${equals < 0 ? argument : `${path}=`}\` is not a setting`,
      'write --set a.b=value',
    );
    return undefined;
  }
  const places: { key: string; offset: number }[] = [];
  let offset = 0;
  for (const key of keys) {
    places.push({ key, offset });
    offset += key.length + delimiter.length;
  }
  const value = parseText(argument.slice(equals + 1), equals + 1, source, findings);
  if (!value.sound) return undefined;
  let node: Node = value.node ?? { kind: 'scalar', value: null, at: { source, offset: equals + 1 } };
  for (const { key, offset } of places.reverse()) {
    const at = { source, offset };
    node = { kind: 'mapping', at, entries: new Map([[key, { key: at, value: node }]]) };
  }
  return node as Mapping;
}
