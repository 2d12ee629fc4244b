// npm run gen: everything in the tree that is made from the list of components and from tables in the code. With --check it only names what is stale.
import '../src/self.ts';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outbox } from '../src/api/fields.ts';
import type { Factory } from '../src/api/index.ts';
import { fileSchema } from '../src/config/json-schema.ts';
import { fidelityPage } from '../src/wire/convert/fidelity.ts';
import { optionTable } from './option-table.ts';

export interface Generated {
  readonly path: string;
  readonly text: string;
}

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const OUTBOX_PAGE = `${ROOT}docs/outbox.md`;
const FIDELITY_PAGE = `${ROOT}docs/fidelity.md`;
const OPTIONS = /(<!-- options -->)[\s\S]*?(<!-- \/options -->)/;

/** Every generated file as it should be. Throws for a README without the place for its table. */
export function generate(components: readonly Factory[]): Generated[] {
  const readmes = components.map(readme);
  const schema = {
    path: `${ROOT}docs/config.schema.json`,
    text: `${JSON.stringify(fileSchema(components), undefined, 2)}\n`,
  };
  return [...readmes, { path: OUTBOX_PAGE, text: outboxPage() }, { path: FIDELITY_PAGE, text: fidelityPage() }, schema];
}

function readme(factory: Factory): Generated {
  const path = fileURLToPath(new URL('./README.md', factory.home));
  const before = readFileSync(path, 'utf8');
  if (!OPTIONS.test(before))
    throw new Error(`${relative(ROOT, path)}: has no lines <!-- options --> and <!-- /options -->`);
  const link = relative(dirname(path), OUTBOX_PAGE);
  const shared =
    factory.kind === 'exporter'
      ? `\n\n\`timeout\`, \`sending_queue\` and \`retry_on_failure\`, as of every exporter: [outbox](${link}).`
      : factory.kind === 'processor' && factory.holds
        ? `\n\n\`sending_queue\` and \`retry_on_failure\` of the queue in front of it: [outbox](${link}).`
        : '';
  const text = before.replace(
    OPTIONS,
    (_all, open: string, close: string) => `${open}\n\n${optionTable(factory.config)}${shared}\n\n${close}`,
  );
  return { path, text };
}

function outboxPage(): string {
  return `<!-- made by npm run gen -->
# Outbox: the keys that every exporter has

The pipeline stands between a batch and the store: queue, then retries, then the timeout of each try. These keys are written
beside the exporter's own. Differences from the OpenTelemetry Collector: queues are counted in bytes unless \`sizer\` says
otherwise, and retries go on without end unless \`max_elapsed_time\` is set.

${optionTable(outbox)}
`;
}

/** Writes what differs, or with \`check\` leaves it; the paths of what differed, from the root of the repository. */
export function apply(files: readonly Generated[], check: boolean): string[] {
  const stale = files.filter(({ path, text }) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  if (!check) {
    for (const { path, text } of stale) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }
  return stale.map(({ path }) => relative(ROOT, path));
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  const { components } = await import('../src/components.ts');
  const stale = apply(generate(components), check);
  for (const path of stale) console.log(check ? `stale: ${path} (npm run gen)` : `wrote ${path}`);
  process.exitCode = check && stale.length > 0 ? 1 : 0;
}
