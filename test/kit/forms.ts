// A small sound body in every form that Pyroscope's /ingest takes beside pprof, and the recordings of the JVM that we made.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Form } from '../../src/model/payload.ts';
import { partsOf } from './arrival.ts';
import { fixturesDir } from './corpus.ts';

/** Parts of a recorded upload of the Java agent: `jfr`, and `labels` where it had one; as they came. */
export function recordedJfr(
  folder = 'pyroscope-java-agent-2.9.2-retry',
  name = '001-attempt-1',
): { jfr: Buffer; labels: Buffer | undefined; query: string } {
  const dir = resolve(fixturesDir, 'traffic', folder);
  const { headers, query } = JSON.parse(readFileSync(resolve(dir, `${name}.json`), 'utf8'));
  const contentType = headers.find(([key]: [string]) => key.toLowerCase() === 'content-type')[1];
  const parts = partsOf({
    headers: { 'content-type': contentType },
    body: readFileSync(resolve(dir, `${name}.body`)),
  })!;
  return { jfr: parts.get('jfr')!, labels: parts.get('labels'), query };
}

const node = (name: string, value: number, children: number) => [name.length, ...Buffer.from(name), value, children];

/** Each says `main` once, or 3 times, or what the JVM said. */
export const soundForms: Readonly<Record<Exclude<Form, 'pprof' | 'otlp'>, Buffer>> = {
  groups: Buffer.from('main;work 3\n'),
  lines: Buffer.from('main;work\nmain;work\nmain\n'),
  tree: Buffer.from([...node('', 0, 1), ...node('main', 3, 0)]),
  trie: Buffer.from([...node('', 0, 1), ...node('main;work', 3, 0)]),
  speedscope: Buffer.from(
    JSON.stringify({
      $schema: 'https://www.speedscope.app/file-format-schema.json',
      shared: { frames: [{ name: 'main' }, { name: 'work' }] },
      profiles: [
        { type: 'sampled', name: 'one', unit: 'none', startValue: 0, endValue: 3, samples: [[0, 1]], weights: [3] },
      ],
    }),
  ),
  jfr: gunzipSync(recordedJfr().jfr),
  cpuprofile: Buffer.from(
    JSON.stringify({
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2] },
        { id: 2, callFrame: frame('main'), hitCount: 1 },
      ],
      startTime: 0,
      endTime: 3000,
      samples: [2],
      timeDeltas: [0],
    }),
  ),
  heapprofile: Buffer.from(
    JSON.stringify({
      head: {
        callFrame: frame('(root)'),
        selfSize: 0,
        id: 1,
        children: [{ callFrame: frame('main'), selfSize: 3, id: 2, children: [] }],
      },
    }),
  ),
  perf: Buffer.from('demo  12  1.000001:   10101010 cpu-clock: \n\t          64f1cc main+0x1c (/app/demo)\n\n'),
  legacy: Buffer.from('goroutine profile: total 3\n3 @ 0x1000 0x2000\n#\t0x1000\tmain.work+0x10\t/app/main.go:7\n'),
};

function frame(functionName: string) {
  return { functionName, scriptId: '1', url: 'file:///app/main.js', lineNumber: 0, columnNumber: 0 };
}
