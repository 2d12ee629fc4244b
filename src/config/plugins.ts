// `plugins:` names modules whose default export is a factory, or a list of them: components beside the built-in ones.
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Factory, Kind } from '../api/index.ts';
import type { Findings } from './finding.ts';
import type { Entry, Node } from './tree.ts';

const KINDS: readonly Kind[] = ['receiver', 'processor', 'stage', 'exporter', 'extension'];
/** What a folder is entered by, in this order. */
const ENTRIES = ['index.ts', 'index.js', 'index.mjs'];

/**
 * The factories of all plugins that are written; what cannot be used is a finding at the line that names it. A path is relative to the
 * file it is written in; anything else is a package, looked up from there. A module is loaded once for the life of the process.
 */
export async function loadPlugins(
  entry: Entry | undefined,
  known: readonly Factory[],
  findings: Findings,
): Promise<Factory[]> {
  const list = entry?.value;
  if (!list || (list.kind === 'scalar' && (list.value === null || list.broken))) return [];
  if (list.kind !== 'list') {
    findings.error(list.at, 'plugins: expected a list of paths', 'write plugins: [./plugins/mine]');
    return [];
  }
  const loaded: Factory[] = [];
  for (const item of list.items) loaded.push(...(await plugin(item, [...known, ...loaded], findings)));
  return loaded;
}

async function plugin(item: Node, known: readonly Factory[], findings: Findings): Promise<Factory[]> {
  if (item.kind === 'scalar' && item.broken) return [];
  if (item.kind !== 'scalar' || typeof item.value !== 'string' || item.value === '') {
    findings.error(item.at, 'plugins: expected a path or the name of a package');
    return [];
  }
  const written = item.value;
  const fail = (what: string, hint?: string): Factory[] => {
    findings.error(item.at, `plugin \`${written}\`: ${what}`, hint);
    return [];
  };
  let exported: unknown;
  try {
    exported = ((await import(urlOf(written, item.at.source.directory))) as { default?: unknown }).default;
  } catch (error) {
    return fail(`cannot be loaded: ${firstLine(error)}`);
  }
  const factories = Array.isArray(exported) ? exported : [exported];
  const strange = factories.find(factory => !isFactory(factory));
  if (strange !== undefined || factories.length === 0 || exported === undefined)
    return fail('its default export is no factory', 'export default stage({…}), or a list of factories');
  const twice = (factories as Factory[]).find(({ kind, type }) =>
    known.some(other => section(other.kind) === section(kind) && other.type === type),
  );
  if (twice) return fail(`there is a ${twice.kind} \`${twice.type}\` already`, 'give its type another name');
  return factories as Factory[];
}

/** Stages stand among processors in the configuration. */
const section = (kind: Kind): Kind => (kind === 'stage' ? 'processor' : kind);

/** @throws Error with a sentence when there is no such module */
function urlOf(written: string, directory: string): string {
  const isPath = /^(?:\.{0,2}\/|[a-zA-Z]:[\\/])/.test(written) || written === '.' || written === '..';
  if (!isPath && !written.startsWith('file:'))
    return pathToFileURL(createRequire(join(resolve(directory), 'config')).resolve(written)).href;
  const path = written.startsWith('file:') ? fileURLToPath(written) : resolve(directory, written);
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  if (!statSync(path).isDirectory()) return pathToFileURL(path).href;
  const entry = ENTRIES.map(name => join(path, name)).find(existsSync);
  if (entry === undefined) throw new Error(`${path} has no ${ENTRIES.join(' or ')}`);
  return pathToFileURL(entry).href;
}

function isFactory(value: unknown): value is Factory {
  const factory = value as Partial<Factory> | null | undefined;
  return (
    typeof factory === 'object' &&
    factory !== null &&
    KINDS.includes(factory.kind as Kind) &&
    typeof factory.type === 'string' &&
    typeof factory.home === 'string' &&
    typeof factory.config === 'object' &&
    '~standard' in factory.config
  );
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!;
}
