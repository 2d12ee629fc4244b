// Golden cases: test/config/*.case. Above the line of dashes a configuration, below it what flamegate says of it: the findings
// word for word, or "ok" and the facts of the plan. The format of a case is told in test/config/README.md.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatFindings, type Loaded, loadPlan } from '../../../src/config/load.ts';
import type { Plan } from '../../../src/config/plan.ts';
import { factories } from './factories.ts';

const FOLDER = new URL('../../config/', import.meta.url);
const DASHES = /^-{8,}\n/m;
const UPDATE = process.env.UPDATE_CASES === '1';

interface Case {
  readonly files: string[];
  readonly texts: ReadonlyMap<string, string>;
  readonly set: string[];
  readonly env: Record<string, string>;
}

function parseCase(text: string): Case {
  const texts = new Map<string, string>();
  const files: string[] = [];
  const set: string[] = [];
  const env: Record<string, string> = {};
  let name = 'config.yaml';
  let lines: string[] = [];
  const end = () => {
    if (lines.length > 0) texts.set(name, `${lines.join('\n')}\n`);
    lines = [];
  };
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const word = /^@(set|env|config|file) (.*)$/.exec(line);
    if (!word) lines.push(line);
    else if (word[1] === 'set') set.push(word[2]!);
    else if (word[1] === 'env') env[word[2]!.split('=', 1)[0]!] = word[2]!.slice(word[2]!.indexOf('=') + 1);
    else {
      end();
      name = word[2]!;
      if (word[1] === 'config') files.push(name);
    }
  }
  end();
  return { files: files.length > 0 ? files : ['config.yaml'], texts, set, env };
}

async function answer({ files, texts, set, env }: Case): Promise<string> {
  const read = async (path: string): Promise<string> => {
    const text = texts.get(path);
    if (text === undefined) throw Object.assign(new Error('missing'), { code: 'ENOENT' });
    return text;
  };
  const loaded: Loaded = await loadPlan({ files, set, env, factories, read });
  return loaded.ok ? facts(loaded.plan) : formatFindings(loaded.findings);
}

function facts(plan: Plan): string {
  const lines = ['ok'];
  for (const { id, receivers, processors, exporters } of plan.pipelines)
    lines.push(`${id}: ${[receivers, processors, exporters].map(ids => ids.join(', ') || '-').join(' → ')}`);
  if (plan.extensions.length > 0) lines.push(`extensions: ${plan.extensions.join(', ')}`);
  for (const [section, components] of Object.entries(plan.components))
    for (const { id, config } of components.values()) lines.push(`${section}.${id} ${JSON.stringify(config)}`);
  return `${lines.join('\n')}\n${formatFindings(plan.warnings)}`;
}

const names = readdirSync(FOLDER).filter(name => name.endsWith('.case'));
assert.ok(names.length > 0, 'there are cases');
for (const name of names) {
  test(`case ${name.replace('.case', '').replaceAll('-', ' ')}`, async () => {
    const path = new URL(name, FOLDER);
    const text = readFileSync(path, 'utf8');
    const dashes = DASHES.exec(text);
    assert.ok(dashes, `${name} has a line of dashes`);
    const input = text.slice(0, dashes.index);
    const said = await answer(parseCase(input));
    if (UPDATE) writeFileSync(path, `${input}${dashes[0]}${said}`);
    else assert.equal(said, text.slice(dashes.index + dashes[0].length));
  });
}

test('the case with seven mistakes has seven findings, each with file, line and column', async () => {
  const text = readFileSync(new URL('seven-mistakes.case', FOLDER), 'utf8');
  const { texts } = parseCase(text.slice(0, DASHES.exec(text)!.index));
  const read = async (path: string) => texts.get(path)!;
  const loaded = await loadPlan({ files: ['config.yaml'], set: [], env: {}, factories, read });
  assert.ok(!loaded.ok);
  assert.equal(loaded.findings.length, 7);
  for (const { file, line, column, severity } of loaded.findings) {
    assert.equal(severity, 'error');
    assert.equal(file, 'config.yaml');
    assert.ok(line > 0 && column > 0);
  }
});
