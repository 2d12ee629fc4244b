// npm run bench:forms: reading every other form than pprof and OTLP, on one thread, over the corpus: speed, and what the columns take.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { initSync, interpret_jfr } from 'jfrview';
import type { Form } from '../../src/model/payload.ts';
import { Losses } from '../../src/wire/convert/losses.ts';
import { readProfiles } from '../../src/wire/convert/read.ts';
import { writePprof, writeSpeedscope } from '../../src/wire/convert/write.ts';
import { encodeFolded } from '../../src/wire/folded/encode.ts';
import { formOf } from '../../src/wire/sniff.ts';
import { partsOf } from '../kit/arrival.ts';
import { corpusDir, recordings } from '../kit/corpus.ts';
import { soundForms } from '../kit/forms.ts';
import { measure } from './measure.ts';

/** Time for one measurement, ms. */
const MS = Number(process.env.CODEC_MS ?? 300);
/** Files that are small make figures of fixed costs. */
const LEAST_BYTES = 1000;

interface Body {
  readonly name: string;
  readonly form: Form;
  readonly raw: Buffer;
}

initSync({ module: readFileSync(fileURLToPath(import.meta.resolve('jfrview/jfrview_bg.wasm'))) });

const gunzipped = (bytes: Buffer) => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);

function* filesIn(dir: string): Generator<string> {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) yield* filesIn(path);
    else yield path;
  }
}

/** What the corpus holds in other forms, inflated; without one what we recorded ourselves. */
function bodies(): Body[] {
  const all: Body[] = [];
  const add = (name: string, bytes: Buffer) => {
    const raw = gunzipped(bytes);
    const form = raw.length < LEAST_BYTES ? undefined : formOf(raw);
    if (form !== undefined && form !== 'pprof' && form !== 'otlp') all.push({ name, form, raw });
  };
  if (corpusDir)
    for (const folder of ['folded', 'jfr', 'legacy', 'speedscope', 'traffic'])
      for (const path of filesIn(join(corpusDir, folder)))
        if (!/\.(?:json|body|csv|gprof2dot\.json)$/.test(path) || path.includes('speedscope'))
          add(relative(corpusDir, path), readFileSync(path));
  for (const recording of recordings()) {
    const headers = Object.fromEntries(recording.headers.map(([key, value]) => [key.toLowerCase(), value]));
    const jfr = partsOf({ headers, body: recording.body })?.get('jfr');
    if (jfr) add(recording.file, jfr);
  }
  // What nobody recorded, by ourselves: the same stacks as the largest folded text.
  const text = all.filter(({ form }) => form === 'groups').sort((a, b) => b.raw.length - a.raw.length)[0];
  const jfr = all.filter(({ form }) => form === 'jfr').sort((a, b) => b.raw.length - a.raw.length)[0];
  if (text) all.push({ name: 'the same as tree (made)', form: 'tree', raw: treeOf(text.raw) });
  if (jfr) {
    const [{ columns }] = readProfiles('jfr', jfr.raw, {}) as [ReturnType<typeof readProfiles>[number]];
    const options = { type: 0, values: 'count', labels: false } as const;
    all.push({ name: 'a JFR as folded (made)', form: 'groups', raw: Buffer.from(encodeFolded(columns, options)) });
    const file = Buffer.from(writeSpeedscope([{ name: 'made', columns }], new Losses()));
    all.push({ name: 'a JFR as speedscope (made)', form: 'speedscope', raw: file });
  }
  return all;
}

/** Pyroscope's tree of a folded text. */
function treeOf(text: Buffer): Buffer {
  interface Node {
    self: number;
    readonly children: Map<string, Node>;
  }
  const root: Node = { self: 0, children: new Map() };
  for (const line of text.toString().split('\n').filter(Boolean)) {
    const space = line.lastIndexOf(' ');
    let node = root;
    for (const frame of line.slice(0, space).split(';')) {
      const next = node.children.get(frame) ?? { self: 0, children: new Map() };
      node.children.set(frame, next);
      node = next;
    }
    node.self += Number(line.slice(space + 1));
  }
  const bytes: number[] = [];
  const varint = (value: number) => {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
    bytes.push(rest);
  };
  const write = (name: string, node: Node) => {
    const text = Buffer.from(name);
    varint(text.length);
    bytes.push(...text);
    varint(node.self);
    varint(node.children.size);
    for (const [frame, child] of node.children) write(frame, child);
  };
  write('', root);
  return Buffer.from(bytes);
}

/** What the JDK's own tool takes for a summary of events, its start included, ms of CPU; undefined where there is none. */
function jdkSummary(raw: Buffer): number | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-bench-'));
  const file = join(dir, 'recording.jfr');
  try {
    writeFileSync(file, raw);
    // `times` of the shell counts what its children took.
    const { status, stdout } = spawnSync('bash', ['-c', 'jfr summary "$0" >/dev/null && times', file], {
      encoding: 'utf8',
    });
    if (status !== 0) return undefined;
    const [, user, system] = /\n(\S+)m?\s+(\S+)/.exec(stdout) ?? [];
    return [user, system].reduce((sum, text) => sum + milliseconds(text ?? ''), 0);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** What the public parser in Rust and WebAssembly takes for the stacks of execution samples alone, ms of CPU; undefined where it fails. */
function jfrviewOf(raw: Buffer): number | undefined {
  const read = () => {
    for (const sample of interpret_jfr(raw, true)) sample.free();
  };
  try {
    read();
  } catch {
    return undefined;
  }
  return measure(read, MS) / 1000;
}

/** `0m1.234s` */
function milliseconds(text: string): number {
  const [, minutes, seconds] = /(\d+)m([\d.]+)s/.exec(text) ?? [];
  return (Number(minutes) * 60 + Number(seconds)) * 1000;
}

const row = (cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);
const digits = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));

const all = bodies().sort((a, b) => a.form.localeCompare(b.form) || a.raw.length - b.raw.length);
if (all.length === 0) all.push({ name: 'recorded', form: 'jfr', raw: soundForms.jfr });
// A worker that runs for days is warm.
for (let n = 0; n < 10; n++) for (const { form, raw } of all) readProfiles(form, raw, { badLines: 'skip' });
row([
  'form',
  'body',
  'bytes',
  'ms of CPU',
  'MB/s',
  'samples',
  'columns, bytes',
  '× body',
  'as pprof, bytes',
  '`jfr summary`, ms of CPU',
  'jfrview, ms of CPU',
]);
row(Array.from({ length: 11 }, () => '---'));
for (const { name, form, raw } of all) {
  const read = () => readProfiles(form, raw, { badLines: 'skip' });
  const ms = measure(read, MS) / 1000;
  const profiles = read();
  const held = profiles.reduce((sum, { columns }) => sum + columns.heldBytes, 0);
  const samples = profiles.reduce((sum, { columns }) => sum + columns.samples.count, 0);
  const pprof = profiles.reduce((sum, { columns }) => sum + writePprof(columns, new Losses()).length, 0);
  const jdk = form === 'jfr' ? jdkSummary(raw) : undefined;
  const jfrview = form === 'jfr' ? jfrviewOf(raw) : undefined;
  row([
    form,
    basename(name) === name ? name : name.replace(/\.json$/, ''),
    raw.length,
    digits(ms),
    digits(raw.length / ms / 1000),
    samples,
    held,
    (held / raw.length).toFixed(1),
    pprof,
    jdk === undefined ? '' : digits(jdk),
    jfrview === undefined ? '' : digits(jfrview),
  ]);
}
