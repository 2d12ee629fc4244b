import {
  type Component,
  counters,
  type ExporterFactory,
  type ExtensionFactory,
  type Host,
  type Logger,
  type ProcessorFactory,
  type QueueStorage,
  type ReceiverFactory,
  type StageFactory,
} from '../api/index.ts';
import type { ComponentPlan, PipelinePlan, Plan } from '../config/plan.ts';
import type { Signal } from '../model/batch.ts';
import { Entry } from './entry.ts';
import { type Branch, Fanout } from './fanout.ts';
import { Condition, createHost, type World } from './host.ts';
import { Link, type Node } from './link.ts';
import { Observed, Observer } from './observed.ts';
import { Converter } from './outbox/convert.ts';
import { Outbox } from './outbox/outbox.ts';
import type { Store } from './outbox/store.ts';
import { type FusedStage, FusedStages } from './stages/fused.ts';
import { stageOf } from './stages/stage-of.ts';

/** `stages` is what consecutive stages of a pipeline run in; each of them is a `processor` beside it. */
export type NodeKind = 'extension' | 'exporter' | 'connector' | 'processor' | 'stages' | 'receiver';

/** One running component with what the graph keeps beside it. */
export interface Vertex {
  /** Unique in the graph: `kind id`, for processors `kind pipeline/id`. */
  readonly key: string;
  readonly kind: NodeKind;
  readonly id: string;
  readonly plan: ComponentPlan;
  readonly component: Component;
  readonly observer: Observer;
  readonly condition: Condition;
  /** What others send to; absent for receivers and extensions. */
  readonly node?: Node;
  /** Where it sends to; absent for exporters and extensions. */
  readonly next?: Link | Entry;
  readonly outbox?: Outbox;
  /** Of a stage. */
  readonly stage?: FusedStage;
}

type Watched = Pick<Vertex, 'observer' | 'condition'>;

/**
 * A plan as connected components. Building has no effects. Components whose configuration did not change are taken over from
 * `previous`, running as they are; `connect` then turns their arrows into this graph, all in one tick.
 */
export class Graph {
  readonly plan: Plan;
  readonly vertices = new Map<string, Vertex>();
  readonly #world: World;
  readonly #previous: Graph | undefined;
  readonly #turns: (() => void)[] = [];
  readonly #heads = new Map<string, Link>();
  /** What a pipeline consists of between receivers and exporters, the last first. */
  readonly #chains = new Map<string, Vertex[][]>();

  constructor(plan: Plan, world: World, previous?: Graph) {
    this.plan = plan;
    this.#world = world;
    for (const id of plan.extensions) this.#extension(plan.components.extensions.get(id)!, previous);
    // A component may have found any extension; when one is replaced, everything is built anew. Queues stay by their id.
    const replaced = [...this.vertices.values()].some(vertex => previous?.vertices.get(vertex.key) !== vertex);
    this.#previous = replaced ? undefined : previous;
    for (const pipeline of plan.pipelines) this.#heads.set(pipeline.id, new Link());
    for (const component of plan.components.exporters.values()) this.#exporter(component);
    for (const component of plan.components.connectors.values()) this.#connector(component);
    for (const pipeline of plan.pipelines) this.#pipeline(pipeline);
    for (const component of plan.components.receivers.values()) this.#receiver(component);
  }

  /** Turns every arrow into this graph. From here on batches flow through it. */
  connect(): void {
    for (const turn of this.#turns.splice(0)) turn();
  }

  /** Vertices that `other` does not share, in steps in which they start; they stop in the reverse order. */
  without(other: Graph | undefined): Vertex[][] {
    const own = (vertex: Vertex) => other?.vertices.get(vertex.key) !== vertex;
    return this.#steps()
      .map(step => step.filter(own))
      .filter(step => step.length > 0);
  }

  /**
   * Nothing emits before all that is below it runs, nor after that was stopped: what holds batches lets go of them when it stops, and
   * the next may hold them again.
   */
  #steps(): Vertex[][] {
    const all = [...this.vertices.values()];
    const between: Vertex[][] = [];
    const seen = new Set<PipelinePlan | Vertex>();
    const visit = (pipeline: PipelinePlan) => {
      if (seen.has(pipeline)) return;
      seen.add(pipeline);
      for (const connector of all.filter(({ kind, id }) => kind === 'connector' && pipeline.exporters.includes(id))) {
        for (const below of this.plan.pipelines) if (below.receivers.includes(connector.id)) visit(below);
        if (!seen.has(connector)) between.push([connector]);
        seen.add(connector);
      }
      between.push(...this.#chains.get(pipeline.id)!);
    };
    for (const pipeline of this.plan.pipelines) visit(pipeline);
    const of = (kind: NodeKind) => all.filter(vertex => vertex.kind === kind);
    return [of('extension'), of('exporter'), ...between, of('receiver')];
  }

  #reuse(key: string, plan: ComponentPlan): Vertex | undefined {
    const old = this.#previous?.vertices.get(key);
    if (old?.plan.fingerprint !== plan.fingerprint) return undefined;
    this.vertices.set(key, old);
    return old;
  }

  #parts(kind: NodeKind, plan: ComponentPlan, key = `${kind} ${plan.id}`) {
    const condition = new Condition(this.#world.clock);
    const extensions = new Map<string, Component>();
    for (const vertex of this.vertices.values())
      if (vertex.kind === 'extension') extensions.set(vertex.id, vertex.component);
    const host = createHost(plan.id, kind, this.#world, condition, extensions);
    return { key, kind, id: plan.id, plan, host, condition, observer: new Observer(host.metrics, host.log) };
  }

  #add(vertex: Vertex): Vertex {
    this.vertices.set(vertex.key, vertex);
    return vertex;
  }

  #extension(plan: ComponentPlan, previous: Graph | undefined): void {
    const old = previous?.vertices.get(`extension ${plan.id}`);
    if (old?.plan.fingerprint === plan.fingerprint) {
      this.vertices.set(old.key, old);
      return;
    }
    const { host, ...parts } = this.#parts('extension', plan);
    this.#add({ ...parts, component: (plan.factory as ExtensionFactory).create(plan.config, host) });
  }

  #exporter(plan: ComponentPlan): void {
    if (this.#reuse(`exporter ${plan.id}`, plan)) return;
    const { host, ...parts } = this.#parts('exporter', plan);
    const component = (plan.factory as ExporterFactory).create(plan.config, host);
    const send = new Observed({ consume: (batch, abort) => component.send(batch, abort) } as Node, parts.observer);
    const outbox = this.#outbox(plan.id, plan, host.log, parts, send, this.#converter(plan, host, parts.observer));
    this.#add({ ...parts, component, outbox, node: { consume: (batch, abort) => outbox.deliver(batch, abort) } });
  }

  #converter(plan: ComponentPlan, { log, metrics }: Host, observer: Observer): Converter | undefined {
    const takes = (plan.factory as ExporterFactory).takes?.(plan.config);
    if (!takes) return undefined;
    const losses = counters.losses(metrics);
    const { pool, examiner, memory } = this.#world;
    const lost = (reason: string, items: number) => losses.record(items, { reason });
    const dropped = (items: number, reason: string) => observer.drop(items, reason);
    return new Converter({ takes, pool, memory, examiner, log, lost, dropped });
  }

  #outbox(
    queue: string,
    plan: ComponentPlan,
    log: Logger,
    { observer, condition }: Watched,
    to: Node,
    converter?: Converter,
  ): Outbox {
    return new Outbox({
      id: queue,
      sender: { send: (batch, abort) => to.consume(batch, abort) },
      config: plan.outbox!,
      store: this.#storeOf(plan),
      clock: this.#world.stores.clock,
      log,
      holding: plan.factory.kind === 'processor',
      ...(converter && { converter }),
      dropped: (items, reason) => observer.drop(items, reason),
      report: (health, why) => condition.report(health, why),
    });
  }

  #storeOf(plan: ComponentPlan): Store {
    const { stores } = this.#world;
    const { storage, enabled } = plan.outbox!.sending_queue;
    if (storage === undefined || !enabled) return stores.memory;
    const extension = this.vertices.get(`extension ${storage}`);
    const offered = extension?.component as Partial<QueueStorage> | undefined;
    if (!extension || !offered?.queueFile)
      throw new Error(
        `${plan.factory.kind} ${plan.id}: sending_queue.storage \`${storage}\` is no running file_storage`,
      );
    const { queueFile } = offered;
    const store = stores.file(queueFile);
    stores.watch(queueFile.file, error => extension.condition.report(error ? 'degraded' : 'ok', error));
    return store;
  }

  #connector(plan: ComponentPlan): void {
    const old = this.#reuse(`connector ${plan.id}`, plan);
    const vertex = old ?? this.#processor(plan, 'connector', `connector ${plan.id}`, id => new Entry(this.#world, id));
    this.#turn(vertex, () => {
      (vertex.next as Entry).heads = this.#headsOf(plan.id);
    });
  }

  #processor(
    plan: ComponentPlan,
    kind: 'connector' | 'processor',
    key: string,
    nextOf: (observer: Observer) => Link | Entry,
  ): Vertex {
    const { host, ...parts } = this.#parts(kind, plan, key);
    const next = nextOf(parts.observer);
    const component = (plan.factory as ProcessorFactory).create(plan.config, host, next);
    const node = new Observed(component as unknown as Node, parts.observer);
    if (!plan.outbox) return this.#add({ ...parts, component, next, node });
    // It answers late: the sender is answered by the queue in front of it.
    const outbox = this.#outbox(key.replace(' ', ':'), plan, host.log, parts, node);
    const front = outbox.queued ? new Fanout([{ id: outbox.id, outbox, node }]) : node;
    return this.#add({ ...parts, component, next, node: front, outbox });
  }

  #pipeline(pipeline: PipelinePlan): void {
    const branches = pipeline.exporters.map((id): Branch => {
      const vertex = this.vertices.get(`exporter ${id}`) ?? this.vertices.get(`connector ${id}`)!;
      return { id, node: vertex.node!, ...(vertex.outbox && { outbox: vertex.outbox }) };
    });
    let target: Node = new Fanout(branches);
    this.#chains.set(pipeline.id, []);
    const plans = pipeline.processors.map(id => this.plan.components.processors.get(id)!);
    while (plans.length > 0) {
      const from = plans.findLastIndex(({ factory }) => factory.kind !== 'stage') + 1;
      const stages = plans.splice(from);
      target =
        stages.length > 0
          ? this.#stages(pipeline, stages, target, branches)
          : this.#step(pipeline, plans.pop()!, target);
    }
    this.#heads.get(pipeline.id)!.point(target);
  }

  #step(pipeline: PipelinePlan, plan: ComponentPlan, below: Node): Node {
    const key = `processor ${pipeline.id}/${plan.id}`;
    const vertex = this.#reuse(key, plan) ?? this.#processor(plan, 'processor', key, () => new Link());
    this.#turn(vertex, () => (vertex.next as Link).point(below));
    this.#chains.get(pipeline.id)!.push([vertex]);
    return vertex.node!;
  }

  /** Stages that follow one another, as one node. */
  #stages(pipeline: PipelinePlan, plans: readonly ComponentPlan[], below: Node, branches: readonly Branch[]): Node {
    const ids = plans.map(({ id }) => id).join('+');
    const whole: ComponentPlan = {
      id: ids,
      factory: plans[0]!.factory,
      config: undefined,
      fingerprint: plans.map(({ fingerprint }) => fingerprint).join('+'),
    };
    const stages = plans.map(plan => this.#stage(pipeline, plan));
    const key = `stages ${pipeline.id}/${ids}`;
    let vertex = this.#reuse(key, whole);
    if (!vertex) {
      const { pool, memory, stores } = this.#world;
      const { clock } = stores;
      const next = new Link();
      const fused = new FusedStages({ key: `${pipeline.id} ${whole.fingerprint}`, stages, next, pool, memory, clock });
      const { host: _, ...parts } = this.#parts('stages', whole, key);
      vertex = this.#add({ ...parts, component: fused, next, node: fused });
    }
    const fused = vertex.component as FusedStages;
    const owners = plans.map(({ id }) => this.vertices.get(`processor ${pipeline.id}/${id}`)!);
    this.#chains.get(pipeline.id)!.push(owners, [vertex]);
    this.#turn(vertex, () => {
      (vertex.next as Link).point(below);
      fused.deadLetters = branches.find(({ outbox }) => outbox?.queued && outbox.store.durable)?.outbox?.store;
    });
    return fused;
  }

  #receiver(plan: ComponentPlan): void {
    const old = this.#reuse(`receiver ${plan.id}`, plan);
    if (old) {
      this.#turn(old, () => {
        (old.next as Entry).heads = this.#headsOf(plan.id);
      });
      return;
    }
    const { host, ...parts } = this.#parts('receiver', plan);
    const next = new Entry(this.#world, parts.observer);
    next.heads = this.#headsOf(plan.id);
    const component = (plan.factory as ReceiverFactory).create(
      plan.config,
      { ...host, wanted: signal => next.wants(signal) },
      next,
    );
    this.#add({ ...parts, next, component });
  }

  #stage(pipeline: PipelinePlan, plan: ComponentPlan): FusedStage {
    const key = `processor ${pipeline.id}/${plan.id}`;
    const old = this.#reuse(key, plan);
    if (old) return old.stage!;
    const { host, ...parts } = this.#parts('processor', plan, key);
    const owner = (plan.factory as StageFactory).owner?.(plan.config, host);
    const stage = stageOf(plan, pipeline.id, host, parts.observer, owner);
    this.#add({ ...parts, component: owner ?? {}, stage });
    return stage;
  }

  /** A new vertex is nobody's yet and can be connected at once; one that runs in the previous graph waits for `connect`. */
  #turn(vertex: Vertex, turn: () => void): void {
    if (this.#previous?.vertices.get(vertex.key) === vertex) this.#turns.push(turn);
    else turn();
  }

  #headsOf(id: string): Map<Signal, Node[]> {
    const heads = new Map<Signal, Node[]>();
    for (const { id: pipeline, signal, receivers } of this.plan.pipelines) {
      if (!receivers.includes(id)) continue;
      const of = heads.get(signal) ?? [];
      of.push(this.#heads.get(pipeline)!);
      heads.set(signal, of);
    }
    return heads;
  }
}
