// The one way in: files and settings → Plan, or everything that is wrong with them.
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Factory } from '../api/index.ts';
import { check } from './check.ts';
import { expand, reasonOf } from './expand.ts';
import { type Finding, Findings } from './finding.ts';
import { merge, parseSet } from './merge.ts';
import { MAX_FILE_BYTES, parseText } from './parse.ts';
import type { Plan } from './plan.ts';
import { Source } from './source.ts';
import type { Mapping, Node, Readings } from './tree.ts';

export { type Finding, formatFindings } from './finding.ts';

export interface LoadOptions {
  /** Merged from left to right. */
  readonly files: readonly string[];
  /** `a.b=value`, after the files. */
  readonly set: readonly string[];
  readonly factories: readonly Factory[];
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Reads a configuration file or the target of `${file:path}`; rejects with an errno error. Default: the disk. */
  readonly read?: (path: string, maxBytes: number) => Promise<string>;
}

/** The configuration after merging and expanding, before schemas: what print-config shows. */
export interface Resolved {
  readonly root: Mapping;
  /** Which values their schemas took as text, or as absent. */
  readonly readings: Readings;
  /** Built in and of plugins. */
  readonly factories: readonly Factory[];
}

export type Loaded =
  | { readonly ok: true; readonly plan: Plan; readonly resolved: Resolved }
  /** `resolved` is there when the sources could be read, merged and expanded at all. */
  | { readonly ok: false; readonly findings: readonly Finding[]; readonly resolved?: Resolved };

/** Never rejects for what is in the configuration: that is a list of findings, all of them, in the order of the sources. */
export async function loadPlan(options: LoadOptions): Promise<Loaded> {
  const findings = new Findings();
  const read = options.read ?? readText;
  const trees: Node[] = [];
  let sound = true;
  for (const file of options.files) {
    const source = await readSource(file, read, findings);
    const parsed = source && parseText(source.text, 0, source, findings);
    if (!parsed?.sound) sound = false;
    else trees.push(parsed.node ?? { kind: 'mapping', at: { source: source!, offset: 0 }, entries: new Map() });
  }
  for (const argument of options.set) {
    const tree = parseSet(argument, findings);
    if (tree) trees.push(tree);
    else sound = false;
  }
  for (const tree of trees) {
    if (tree.kind === 'mapping') continue;
    findings.error(tree.at, 'expected a mapping with receivers, exporters and service');
    sound = false;
  }
  // Guesses about what a broken text might have meant would bury the mistake that broke it.
  if (!sound) return { ok: false, findings: findings.list() };
  const nothing: Node = { kind: 'mapping', at: { source: new Source('', '.', ''), offset: 0 }, entries: new Map() };
  const merged = trees.length > 0 ? trees.reduce(merge) : nothing;
  const root = (await expand(merged, { env: options.env ?? process.env, read, findings })) as Mapping;
  const readings = new Map<Node, 'text' | 'absent'>();
  const { plan, factories } = await check(root, options.factories, findings, readings);
  const resolved: Resolved = { root, readings, factories };
  return plan ? { ok: true, plan, resolved } : { ok: false, findings: findings.list(), resolved };
}

async function readSource(
  file: string,
  read: NonNullable<LoadOptions['read']>,
  findings: Findings,
): Promise<Source | undefined> {
  try {
    return new Source(file, dirname(file), await read(file, MAX_FILE_BYTES));
  } catch (error) {
    findings.file(file, `cannot read the configuration: ${reasonOf(error)}`);
    return undefined;
  }
}

/** Reads at most `maxBytes`, so that neither /dev/zero nor a core dump given by mistake fills the heap. */
export async function readText(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    if (error instanceof TypeError) throw new Error('it is not UTF-8 text', { cause: error });
    throw error;
  } finally {
    await file.close();
  }
}
