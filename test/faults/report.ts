// The scorecard as a page. One line a fact and scenarios in one order, so that the difference of two runs can be read.
import { type Row, SCENARIOS, type ScenarioId } from './rows.ts';

export interface Run {
  readonly date: string;
  readonly seed: number;
  readonly node: string;
  readonly machine: string;
  readonly command: string;
}

const COUNTS = ['acknowledged', 'lost', 'invented', 'altered', 'doubled', 'repeated'] as const;

const LIMITS = [
  'A profile is delivered at least once. What was in flight when the gateway died, or when a store cut its answer, may arrive twice: such doubles are counted above and judged one by one. A double without such a reason would be "repeated".',
  'With `sync: normal`, and in memory, less is promised than above: a power failure may take what was acknowledged last, and memory what the process held.',
  'A kill is not a power failure: what the system had not written yet when the machine loses power is not tried here. `sync: full` waits for the disk before it acknowledges.',
  'Bits are flipped one at a time. A damaged batch is lost and counted, and so is what stood in a part of a file that was cut off; a log that lost its end looks like one whose writer was killed, and nothing tells that there was more.',
  'A read-only disk is mended by a restart: until then nothing is taken, and what was delivered meanwhile is delivered again.',
  'After a restart, retries whose time was set under a wall clock that was ahead may wait for it, at most an hour.',
  'The load generator, the stores and the gateway share one machine: times are bounds, not promises.',
];

export function page(rows: ReadonlyMap<ScenarioId, Row>, { date, seed, node, machine, command }: Run): string {
  const ids = Object.keys(SCENARIOS) as ScenarioId[];
  const numbers = ids.map(id => line(id, rows.get(id)));
  return `<!-- written by \`npm run faults\`, do not edit -->
# Reliability

What the gateway did when things broke around it. Senders number their profiles; a 200 is an obligation. Stores write down what
they get, and at the end the two are compared: **lost** was acknowledged and is at no store (nor a dead letter), **invented** was
never sent, **altered** has other bytes, **doubled** came twice because it was in flight when something broke, **repeated** came
twice without such a reason. Of damaged files **lost** is what the damage hit, which the gateway must have said. Each line is a
test in [test/faults](../test/faults); \`npm test\` runs a short form of all, \`npm run faults\` this one.

| | |
| --- | --- |
| command | \`${command}\` |
| seed | ${seed} |
| date | ${date} |
| Node.js | ${node} |
| machine | ${machine} |

| scenario | repeats | held | ${COUNTS.join(' | ')} |
| --- | ---: | --- | ${COUNTS.map(() => '---:').join(' | ')} |
${numbers.join('\n')}

## Figures

${ids.map(id => figures(id, rows.get(id))).join('\n')}
## Known limits

${LIMITS.map(limit => `- ${limit}`).join('\n')}
`;
}

function line(id: ScenarioId, row: Row | undefined): string {
  const state = row === undefined ? 'not run' : row.skipped !== undefined ? 'skipped' : row.held ? 'yes' : '**no**';
  const ran = row !== undefined && row.skipped === undefined;
  const cells = COUNTS.map(name => (ran ? String(row[name]) : ''));
  return `| ${SCENARIOS[id]} | ${row?.repeats ?? ''} | ${state} | ${cells.join(' | ')} |`;
}

function figures(id: ScenarioId, row: Row | undefined): string {
  const lines = Object.entries(row?.figures ?? {}).map(([name, value]) => `- ${name}: ${value}`);
  if (row?.skipped !== undefined) lines.push(`- skipped: ${row.skipped}`);
  if (lines.length === 0) return '';
  return `### ${SCENARIOS[id]}\n\n${lines.join('\n')}\n`;
}
