// What pipelines refer to: that every id is there, fits where it is named, and that connectors lead somewhere and never round.
import type { Factory, Signal } from '../api/index.ts';
import { changesSignal, type Defined } from './components.ts';
import { findCycles } from './cycles.ts';
import type { Findings } from './finding.ts';
import { didYouMean } from './nearest.ts';
import type { PipelinePlan, Section } from './plan.ts';
import type { Place } from './source.ts';
import { isNull, type Mapping, type Node, nodeAt, pathText } from './tree.ts';

const SIGNALS: readonly Signal[] = ['profiles', 'traces', 'metrics'];
type Slot = 'receivers' | 'processors' | 'exporters';

/** One id in a list of a pipeline. */
interface Use {
  readonly id: string;
  readonly at: Place;
  readonly defined: Defined | undefined;
}
interface Draft {
  readonly id: string;
  /** Undefined for an unknown one; its ids are checked all the same. */
  readonly signal: Signal | undefined;
  readonly uses: Readonly<Record<Slot, readonly Use[]>>;
}

/** What is written in the sections of components. */
export interface Written {
  readonly defined: readonly Defined[];
  /** Sections that could not be read. */
  readonly unread: ReadonlySet<Section>;
}

export interface References {
  readonly pipelines: readonly PipelinePlan[];
  readonly extensions: readonly string[];
  /** What is used, under the section where the plan has it. */
  readonly used: ReadonlyMap<Defined, Section>;
}

/** Checks `service.pipelines` and `service.extensions` against what is defined. Shapes are the business of the service schema. */
export function checkReferences(service: Node | undefined, components: Written, findings: Findings): References {
  return new Checker(components, findings).check(service);
}

class Checker {
  readonly #defined: readonly Defined[];
  readonly #byId: ReadonlyMap<string, readonly Defined[]>;
  readonly #unread: ReadonlySet<Section>;
  readonly #findings: Findings;
  readonly #used = new Map<Defined, Section>();

  constructor({ defined, unread }: Written, findings: Findings) {
    this.#defined = defined;
    this.#byId = Map.groupBy(defined, component => component.id);
    this.#unread = unread;
    this.#findings = findings;
  }

  check(service: Node | undefined): References {
    this.#ambiguous();
    const pipelines = service && nodeAt(service, ['pipelines']);
    const drafts: Draft[] = [];
    if (pipelines?.kind === 'mapping') {
      for (const [id, { key, value }] of pipelines.entries) {
        const signal = this.#signal(id, key);
        if (isNull(value))
          this.#findings.error(key, `pipeline \`${id}\` is empty`, 'a pipeline needs receivers and exporters');
        else if (value.kind === 'mapping') drafts.push(this.#draft(id, signal, value));
      }
    }
    this.#oneSided(drafts);
    this.#cycles(drafts);
    const extensions = this.#extensions(service);
    this.#storages(extensions);
    // A misspelt id leaves the right one unused: that is told once everything else is right.
    for (const component of this.#findings.failed ? [] : this.#defined)
      if (!this.#used.has(component) && !component.ignored)
        this.#findings.warn(component.at, `${component.section}.${component.id} is not used`, unusedHint(component));
    return { pipelines: drafts.flatMap(toPlan), extensions, used: this.#used };
  }

  #signal(id: string, at: Place): Signal | undefined {
    const type = id.split('/', 1)[0]!;
    const signal = SIGNALS.find(known => known === type);
    if (!signal)
      this.#findings.error(
        at,
        `pipeline \`${id}\`: unknown signal \`${type}\``,
        didYouMean(type, SIGNALS) ?? `signals are ${SIGNALS.join(', ')}`,
      );
    return signal;
  }

  #draft(id: string, signal: Signal | undefined, body: Mapping): Draft {
    const uses = (slot: Slot) => this.#uses(id, signal, slot, nodeAt(body, [slot]));
    return {
      id,
      signal,
      uses: { receivers: uses('receivers'), processors: uses('processors'), exporters: uses('exporters') },
    };
  }

  #uses(pipeline: string, signal: Signal | undefined, slot: Slot, list: Node | undefined): Use[] {
    const uses: Use[] = [];
    for (const { id, at } of idsOf(list)) {
      if (uses.some(use => use.id === id)) {
        const where = pathText(['service', 'pipelines', pipeline, slot]);
        if (slot === 'processors')
          this.#findings.error(
            at,
            `${where}: \`${id}\` is named twice`,
            'a second instance needs a name of its own: `type/name`',
          );
        else this.#findings.warn(at, `${where}: \`${id}\` is named twice`, 'once is enough');
        continue;
      }
      const found = this.#resolve(id, slot);
      if (!found) this.#undefined(id, at, slot);
      else {
        if (found.factory && signal) this.#fits(found, found.factory, at, pipeline, signal, slot);
        if (!found.ignored) this.#used.set(found, this.#isConnector(found) ? 'connectors' : found.section);
      }
      uses.push({ id, at, defined: found });
    }
    return uses;
  }

  /** Both ends of a pipeline may name a connector; connectors are also the processors that change the signal. */
  #resolve(id: string, slot: Slot): Defined | undefined {
    const named = this.#byId.get(id) ?? [];
    const connector = slot === 'processors' ? undefined : named.find(component => this.#isConnector(component));
    return named.find(component => component.section === slot) ?? connector;
  }

  #isConnector(component: Defined): boolean {
    if (component.section === 'connectors') return true;
    return component.section === 'processors' && component.factory !== undefined && changesSignal(component.factory);
  }

  #undefined(id: string, at: Place, slot: Slot): void {
    if (this.#unread.has(slot)) return;
    const word = slot.slice(0, -1);
    const elsewhere = this.#defined.find(component => component.id === id);
    const fitting = this.#defined.filter(
      component => component.section === slot || (slot !== 'processors' && this.#isConnector(component)),
    );
    const ids = fitting.map(component => component.id);
    const hint = elsewhere
      ? `\`${id}\` is defined under ${elsewhere.section}`
      : (didYouMean(id, ids) ?? (ids.length > 0 ? `defined: ${ids.join(', ')}` : `add it under ${slot}`));
    this.#findings.error(at, `${word} \`${id}\` is not defined`, hint);
  }

  #fits({ id, plan }: Defined, factory: Factory, at: Place, pipeline: string, signal: Signal, slot: Slot): void {
    const { accepts, emits } = signalsOf(factory);
    const say = (verb: string, signals: readonly Signal[], hint?: string) =>
      this.#findings.error(
        at,
        `\`${id}\` does not ${verb} ${signal}, which pipeline \`${pipeline}\` carries`,
        hint ?? `it ${verb}s ${signals.join(', ')}`,
      );
    if (slot === 'receivers' && !emits.includes(signal)) say('emit', emits);
    if (slot === 'exporters' && !accepts.includes(signal)) say('accept', accepts);
    else if (factory.kind === 'exporter' && plan) {
      const missing = factory.lacks?.(plan.config, signal);
      if (missing !== undefined) say('accept', accepts, missing);
    }
    if (slot !== 'processors') return;
    if (!accepts.includes(signal)) say('accept', accepts);
    else if (!emits.includes(signal))
      say(
        'emit',
        emits,
        `it turns ${signal} into ${emits.join(', ')}: name it as an exporter here and as a receiver of the other pipeline`,
      );
  }

  #ambiguous(): void {
    for (const connector of this.#defined.filter(component => this.#isConnector(component))) {
      for (const other of this.#byId.get(connector.id) ?? []) {
        if (other === connector || other.section === 'extensions') continue;
        if (other.section === 'processors' && connector.section === 'connectors' && !this.#isConnector(other)) continue;
        this.#findings.error(
          connector.at,
          `connector \`${connector.id}\` has the same id as ${other.section}.${other.id}`,
          'give one of them a name: `type/name`',
        );
      }
    }
  }

  #oneSided(drafts: readonly Draft[]): void {
    const seen = new Map<Defined, Partial<Record<Slot, { use: Use; pipeline: string }>>>();
    for (const draft of drafts) {
      for (const slot of ['receivers', 'exporters'] as const) {
        for (const use of draft.uses[slot]) {
          if (!use.defined || !this.#isConnector(use.defined)) continue;
          const sides = seen.get(use.defined) ?? {};
          sides[slot] ??= { use, pipeline: draft.id };
          seen.set(use.defined, sides);
        }
      }
    }
    for (const [connector, { receivers, exporters }] of seen) {
      if (receivers && exporters) continue;
      const here = receivers ?? exporters!;
      const [is, missing] = receivers ? ['a receiver', 'an exporter'] : ['an exporter', 'a receiver'];
      this.#findings.error(
        here.use.at,
        `connector \`${connector.id}\` is ${is} of pipeline \`${here.pipeline}\` but ${missing} of none`,
        'name it on both sides',
      );
    }
  }

  #cycles(drafts: readonly Draft[]): void {
    // Receivers of pipelines by what they are: an exporter that is also one of these is a connector.
    const starts = new Map<Defined, string[]>();
    for (const { id, uses } of drafts)
      for (const { defined } of uses.receivers) if (defined) starts.set(defined, [...(starts.get(defined) ?? []), id]);
    const edges = drafts.map(({ id, uses }) => ({
      id,
      to: uses.exporters.flatMap(use =>
        ((use.defined && starts.get(use.defined)) ?? []).map(next => ({ id: next, through: use })),
      ),
    }));
    for (const { path, closing } of findCycles(edges))
      this.#findings.error(
        closing.at,
        `pipelines form a cycle: ${path.join(' → ')}`,
        'a batch would go round for ever',
      );
  }

  /** A queue's storage must be an extension that runs and is one for storage. */
  #storages(running: readonly string[]): void {
    if (this.#unread.has('extensions')) return;
    const defined = this.#defined.filter(({ section }) => section === 'extensions');
    const offering = defined.filter(
      ({ factory }) => factory?.kind === 'extension' && factory.provides?.includes('storage'),
    );
    for (const { id, plan, section, storageAt } of this.#defined) {
      const storage = plan?.outbox?.sending_queue.storage;
      if (storage === undefined || !storageAt) continue;
      const found = defined.find(extension => extension.id === storage);
      const what = `${section}.${id}.sending_queue.storage`;
      if (!found) {
        const ids = offering.map(extension => extension.id);
        const hint =
          didYouMean(storage, ids) ??
          `write extensions: {${storage}: {directory: …}}, and list it in service.extensions`;
        this.#findings.error(storageAt, `${what}: extension \`${storage}\` is not defined`, hint);
      } else if (found.factory && !offering.includes(found))
        this.#findings.error(storageAt, `${what}: \`${storage}\` offers no storage`, 'name a file_storage');
      else if (found.factory && !running.includes(storage))
        this.#findings.error(
          storageAt,
          `${what}: \`${storage}\` does not run`,
          `add it: service: {extensions: [${storage}]}`,
        );
    }
  }

  #extensions(service: Node | undefined): string[] {
    const ids: string[] = [];
    const defined = this.#defined.filter(component => component.section === 'extensions');
    for (const { id, at } of idsOf(service && nodeAt(service, ['extensions']))) {
      const found = defined.find(component => component.id === id);
      if (!found && this.#unread.has('extensions')) continue;
      if (!found) {
        const elsewhere = this.#defined.find(component => component.id === id);
        const hint = elsewhere
          ? `\`${id}\` is defined under ${elsewhere.section}`
          : (didYouMean(
              id,
              defined.map(d => d.id),
            ) ?? 'add it under extensions');
        this.#findings.error(at, `extension \`${id}\` is not defined`, hint);
      } else if (ids.includes(id))
        this.#findings.warn(at, `service.extensions: \`${id}\` is named twice`, 'once is enough');
      else {
        ids.push(id);
        this.#used.set(found, 'extensions');
      }
    }
    return ids;
  }
}

/** Samples are what profiles have: a stage takes and hands on those. */
function signalsOf(factory: Factory): { accepts: readonly Signal[]; emits: readonly Signal[] } {
  if (factory.kind === 'stage') return { accepts: ['profiles'], emits: ['profiles'] };
  return {
    accepts: factory.kind === 'processor' || factory.kind === 'exporter' ? factory.accepts : [],
    emits: factory.kind === 'processor' || factory.kind === 'receiver' ? factory.emits : [],
  };
}

function idsOf(list: Node | undefined): { id: string; at: Place }[] {
  if (list?.kind !== 'list') return [];
  return list.items.flatMap(item =>
    item.kind === 'scalar' && typeof item.value === 'string' && !item.broken ? [{ id: item.value, at: item.at }] : [],
  );
}

function unusedHint(component: Defined): string {
  return component.section === 'extensions'
    ? 'add it to service.extensions, or remove it'
    : 'add it to a pipeline, or remove it';
}

function toPlan({ id, signal, uses }: Draft): PipelinePlan[] {
  const ids = (slot: Slot) => uses[slot].filter(use => !use.defined?.ignored).map(use => use.id);
  if (!signal) return [];
  return [{ id, signal, receivers: ids('receivers'), processors: ids('processors'), exporters: ids('exporters') }];
}
