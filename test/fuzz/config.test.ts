// Whatever the text: the loader answers with findings, never with a throw, and each finding points into its source.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatFindings, loadPlan } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/print.ts';
import { factories } from '../unit/config/factories.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const cases = new URL('../config/', import.meta.url);
const seeds = readdirSync(cases)
  .filter(name => name.endsWith('.case'))
  .map(name => readFileSync(new URL(name, cases), 'utf8').split(/^-{8,}\n/m)[0]!);

async function survives(text: string, set: string[] = []): Promise<void> {
  const read = async (path: string) => {
    if (path !== 'config.yaml') throw Object.assign(new Error('missing'), { code: 'ENOENT' });
    return text;
  };
  const loaded = await loadPlan({
    files: ['config.yaml'],
    set,
    factories,
    env: { NUMBER: '1', LIST: '[a, {b: c}]', BROKEN: '{' },
    read,
  });
  if (loaded.resolved) printConfig(loaded.resolved, { format: 'yaml', origin: true });
  const findings = loaded.ok ? loaded.plan.warnings : loaded.findings;
  if (!loaded.ok) assert.ok(findings.some(finding => finding.severity === 'error'));
  const lines = text.split('\n');
  for (const { file, line, column, message } of findings) {
    assert.ok(message.length > 0);
    if (file !== 'config.yaml' || line === 0) continue;
    assert.ok(line <= lines.length, `line ${line} of ${lines.length}`);
    assert.ok(
      column >= 1 && column <= lines[line - 1]!.length + 1,
      `column ${column} of ${JSON.stringify(lines[line - 1])}`,
    );
  }
  assert.equal(typeof formatFindings(findings), 'string');
}

test('any text is a plan or findings', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), text => survives(text)),
    { numRuns: RUNS },
  );
});
test('text of YAML punctuation is a plan or findings', async () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ' ',
    ',',
    '\n',
    '  ',
    '- ',
    '&a ',
    '*a',
    '<<',
    '"',
    "'",
    '|',
    '>',
    '#',
    '!',
    '%',
    '${',
    '$',
    'env',
    'file',
    'receivers',
    'service',
    'x',
    '\t',
    '? ',
    '---\n',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), pieces => survives(pieces.join(''))),
    { numRuns: RUNS },
  );
});
test('mutated configurations are plans or findings', async () => {
  const mutation = fc.record({
    seed: fc.constantFrom(...seeds),
    edits: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        cut: fc.nat(12),
        put: fc.oneof(
          fc.string({ maxLength: 4 }),
          fc.constantFrom(
            '${env:NUMBER}',
            '${env:LIST}',
            '"${env:BROKEN}"',
            'null',
            '[]',
            '{}',
            '*a',
            '&a ',
            '3',
            'true',
          ),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  });
  await fc.assert(
    fc.asyncProperty(mutation, async ({ seed, edits }) => {
      let text = seed;
      for (const { at, cut, put } of edits) {
        const index = Math.floor(at * text.length);
        text = text.slice(0, index) + put + text.slice(index + cut);
      }
      await survives(text);
    }),
    { numRuns: RUNS },
  );
});
test('trees of any shape under known keys are plans or findings', async () => {
  const words = fc.constantFrom(
    'receivers',
    'processors',
    'exporters',
    'connectors',
    'service',
    'pipelines',
    'profiles',
    'self',
    'pyroscope',
    'debug',
    'forward',
    'telemetry',
    'headers',
    'auth',
    '__proto__',
    'timeout',
    'sending_queue',
  );
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, 1, true, '${env:NUMBER}', '${env:LIST}', 'self', '10s', ''),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(words, tie('tree'), { maxKeys: 5 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(fc.dictionary(words, tree, { maxKeys: 6 }), value => survives(JSON.stringify(value))),
    { numRuns: RUNS },
  );
});
test('any setting is a setting or a finding', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 60 }), text => survives(seeds[0]!, [text, `exporters.${text}=${text}`])),
    { numRuns: RUNS },
  );
});
