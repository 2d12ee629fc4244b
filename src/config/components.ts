// The sections of components: each id and its body, checked alone and whether or not a pipeline uses it.
import { createHash } from 'node:crypto';
import type { Factory, Kind, OutboxConfig } from '../api/index.ts';
import { collectorHint, IGNORED_PROCESSOR, IGNORED_PROCESSOR_NOTE } from './collector.ts';
import type { Findings } from './finding.ts';
import { didYouMean } from './nearest.ts';
import { checkOutbox, outboxKeys } from './outbox.ts';
import type { ComponentPlan, Section } from './plan.ts';
import type { Place } from './source.ts';
import { type Entry, isNull, type Node, type Path, placeOf } from './tree.ts';
import { validate } from './validate.ts';

export const SECTION_KINDS: Readonly<Record<Section, readonly Kind[]>> = {
  receivers: ['receiver'],
  processors: ['processor', 'stage'],
  exporters: ['exporter'],
  connectors: ['processor'],
  extensions: ['extension'],
};
export const SECTIONS = Object.keys(SECTION_KINDS) as Section[];

/** As the Collector has them (component/identifiable.go). */
const TYPE = /^[a-zA-Z][0-9a-zA-Z_]{0,62}$/;
const NAME = /^[^\p{Z}\p{C}\p{S}]{1,1024}$/u;

/** An id that is written down, sound or not: what refers to it refers to something. */
export interface Defined {
  readonly id: string;
  readonly section: Section;
  /** Of the key. */
  readonly at: Place;
  /** Undefined for an unknown type, and for what is accepted and left out. */
  readonly factory: Factory | undefined;
  /** Accepted for the sake of Collector files and left out of pipelines. */
  readonly ignored: boolean;
  /** Undefined when the body has errors. */
  readonly plan: ComponentPlan | undefined;
  /** Where it names the storage of its queue. */
  readonly storageAt?: Place;
}

/** Whether a processor leads from one signal to another, and so ends one pipeline and begins another. */
export function changesSignal(factory: Factory): boolean {
  return factory.kind === 'processor' && !factory.emits.some(signal => factory.accepts.includes(signal));
}

export class Components {
  /** Sections that could not be read: what refers to them may well be there. */
  readonly unread = new Set<Section>();
  readonly #factories: readonly Factory[];
  readonly #findings: Findings;
  readonly #readings: Map<Node, 'text' | 'absent'>;

  constructor(factories: readonly Factory[], findings: Findings, readings: Map<Node, 'text' | 'absent'>) {
    this.#factories = factories;
    this.#findings = findings;
    this.#readings = readings;
  }

  async section(section: Section, entry: Entry | undefined): Promise<Defined[]> {
    const node = entry?.value;
    if (!node || isNull(node)) return [];
    if (node.kind !== 'mapping') {
      this.unread.add(section);
      if (node.kind === 'scalar' && node.broken) return [];
      this.#findings.error(node.at, `${section}: expected a mapping of ids`, `write ${section}: {type: {…}}`);
      return [];
    }
    const defined: Defined[] = [];
    for (const [id, { key, value }] of node.entries) defined.push(await this.#component(section, id, key, value));
    return defined;
  }

  async #component(section: Section, id: string, at: Place, body: Node): Promise<Defined> {
    const ignored =
      section === 'processors' &&
      id.split('/', 1)[0] === IGNORED_PROCESSOR &&
      !this.#find(SECTION_KINDS.processors, IGNORED_PROCESSOR);
    if (ignored) {
      this.#findings.warn(at, `processor \`${id}\` does nothing here`, IGNORED_PROCESSOR_NOTE);
      return { id, section, at, factory: undefined, ignored, plan: undefined };
    }
    const factory = this.#factory(section, id, at);
    const plan = factory && (await this.#plan(section, id, at, factory, body));
    const storageAt = placeOf(body, ['sending_queue', 'storage'], at);
    return {
      id,
      section,
      at,
      factory,
      ignored,
      plan,
      ...(plan?.outbox?.sending_queue.storage !== undefined && { storageAt }),
    };
  }

  #factory(section: Section, id: string, at: Place): Factory | undefined {
    const [type = '', ...rest] = id.split('/');
    const name = rest.join('/');
    if (!TYPE.test(type) || (id.includes('/') && !NAME.test(name))) {
      this.#findings.error(
        at,
        `${section}: \`${id}\` is not an id`,
        'write `type` or `type/name`, without spaces and symbols',
      );
      return undefined;
    }
    const kinds = SECTION_KINDS[section];
    const factory = this.#find(kinds, type);
    if (factory) return factory;
    const word = section.slice(0, -1);
    const elsewhere = this.#factories.find(other => other.type === type);
    const types = this.#factories.filter(other => kinds.includes(other.kind)).map(other => other.type);
    const hint = elsewhere
      ? `\`${type}\` is ${article(elsewhere.kind)} ${elsewhere.kind}`
      : (didYouMean(type, types) ?? (types.length > 0 ? `there are: ${types.join(', ')}` : undefined));
    this.#findings.error(at, `unknown ${word} type \`${type}\``, hint);
    return undefined;
  }

  async #plan(
    section: Section,
    id: string,
    at: Place,
    factory: Factory,
    written: Node,
  ): Promise<ComponentPlan | undefined> {
    const path: Path = [section, id];
    if (written.kind === 'scalar' && written.broken) return undefined;
    // `debug:` with nothing after it is the component with all its defaults.
    const body: Node =
      written.kind === 'scalar' && written.value === null
        ? { kind: 'mapping', at: written.at, entries: new Map() }
        : written;
    if (body.kind !== 'mapping') {
      this.#findings.error(body.at, `${section}.${id}: expected a mapping of settings`);
      return undefined;
    }
    const hint = (key: string, parent: Path) => collectorHint(key, parent.map(String).at(-1));
    const keys = outboxKeys(factory);
    const target = { schema: factory.config, node: body, path, at, hint, ...(keys ? { elsewhere: keys } : {}) };
    const own = await validate<unknown>(target, this.#findings, this.#readings);
    const outbox = keys && (await checkOutbox({ keys, body, path, at, hint }, this.#findings, this.#readings));
    if (!own || (keys && !outbox)) return undefined;
    const fingerprint = digest([factory.kind, factory.type, own.input, outbox?.input ?? null]);
    return {
      id,
      factory,
      config: own.value,
      fingerprint,
      ...(outbox ? { outbox: outbox.value satisfies OutboxConfig } : {}),
    };
  }

  #find(kinds: readonly Kind[], type: string): Factory | undefined {
    return this.#factories.find(factory => kinds.includes(factory.kind) && factory.type === type);
  }
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? 'an' : 'a';
}

/** sha256 of a canonical JSON: the order of keys does not matter. */
function digest(value: unknown): string {
  const canonical = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
  return createHash('sha256').update(canonical).digest('hex');
}
