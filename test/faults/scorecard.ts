// What a run found. Each scenario writes its row into the folder that `npm run faults` names; from these it makes docs/RELIABILITY.md.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Verdict } from './ledger.ts';
import { type Random, randomOf } from './random.ts';
import { type Row, SCENARIOS, type ScenarioId } from './rows.ts';
import { SEED } from './settings.ts';

/** Collects what one scenario finds. */
export class Card {
  readonly row: Row;
  readonly #test: TestContext;

  constructor(id: ScenarioId, repeats: number, t: TestContext) {
    this.#test = t;
    const counts = { acknowledged: 0, lost: 0, invented: 0, altered: 0, doubled: 0, repeated: 0 };
    this.row = { id, held: false, seed: SEED, repeats, ...counts, figures: {} };
  }

  /** Counts what one store got; nothing may be lost, invented, altered or repeated. */
  judge(store: string, verdict: Verdict): void {
    const { lost, invented, altered, doubled, repeated } = verdict;
    const counts = { lost, invented, altered, doubled, repeated };
    this.row.acknowledged = Math.max(this.row.acknowledged, verdict.acknowledged);
    for (const name of ['lost', 'invented', 'altered', 'doubled', 'repeated'] as const)
      this.row[name] += counts[name].length;
    const said = Object.entries(counts).map(([name, { length }]) => `${length} ${name}`);
    this.#test.diagnostic(`${store}: ${verdict.sent} sent, ${verdict.acknowledged} acknowledged, ${said.join(', ')}`);
    assert.deepEqual(
      { lost, invented, altered, repeated },
      { lost: [], invented: [], altered: [], repeated: [] },
      store,
    );
  }

  figure(name: string, value: string | number): void {
    this.row.figures[name] = String(value);
    this.#test.diagnostic(`${name}: ${value}`);
  }

  /** Ends the scenario: it cannot run here. */
  skip(why: string): void {
    this.row.skipped = why;
    this.#test.skip(why);
  }
}

/** A test that writes its row, whether it holds or not. */
export function scenario(
  id: ScenarioId,
  options: { repeats?: number; timeout: number },
  run: (t: TestContext, card: Card, random: Random) => Promise<void>,
): void {
  const { repeats = 1, timeout } = options;
  test(`${repeats} × ${SCENARIOS[id]}`, { timeout }, async t => {
    t.diagnostic(`FAULTS_SEED=${SEED}`);
    const card = new Card(id, repeats, t);
    let held = false;
    try {
      await run(t, card, randomOf(SEED));
      held = true;
    } finally {
      write({ ...card.row, held });
    }
  });
}

function write(row: Row): void {
  const folder = process.env.FAULTS_ROWS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${row.id}.json`), JSON.stringify(row));
}
