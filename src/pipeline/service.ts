import type { Instrument, Logger } from '../api/index.ts';
import type { Plan } from '../config/plan.ts';
import { type Deadline, deadlineIn } from '../telemetry/timer.ts';
import { Graph, type Vertex } from './graph.ts';
import type { World } from './host.ts';
import type { Leaving } from './outbox/outbox.ts';
import type { ComponentStatus, ReloadStatus, Status } from './status.ts';

/** A component that did not start; names it, so that the operator knows which part of the file to look at. */
export class StartError extends Error {
  constructor(vertex: Vertex, cause: unknown) {
    super(`${vertex.kind} ${vertex.id} did not start: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

export type ServiceState = 'starting' | 'running' | 'draining' | 'stopped';

/** The running graph and its changes: start, reload, drain. */
export class Service {
  state: ServiceState = 'starting';
  lastReload: ReloadStatus | undefined;
  #graph: Graph | undefined;
  #changing: Promise<unknown> = Promise.resolve();
  /** Until when the parts may drain that a reload removed, while they do. */
  #drain: Deadline | undefined;
  readonly #world: World;
  readonly #log: Logger;
  readonly #reloads: Instrument;
  readonly #queueBytes: Instrument;
  readonly #queueBatches: Instrument;
  readonly #queueOldest: Instrument;
  /** Queues that were shown last. */
  #shown: ReadonlySet<string> = new Set();

  constructor(world: World) {
    this.#world = world;
    this.#log = world.log.child({ kind: 'service' });
    const meter = world.meter('service');
    this.#reloads = meter.counter('flamegate_config_reloads_total', {
      help: 'Attempts to take over a changed configuration, by outcome.',
      labels: ['outcome'],
    });
    const queue = { labels: ['queue'] };
    this.#queueBytes = meter.gauge('flamegate_queue_bytes', {
      help: 'Bytes in a queue, as its size counts them.',
      ...queue,
    });
    this.#queueBatches = meter.gauge('flamegate_queue_batches', { help: 'Batches in a queue.', ...queue });
    this.#queueOldest = meter.gauge('flamegate_queue_oldest_seconds', {
      help: 'Age of the oldest batch in a queue.',
      ...queue,
    });
  }

  /** Starts everything or nothing. @throws StartError when a component does not start; what had started is stopped again */
  async start(plan: Plan): Promise<void> {
    const graph = new Graph(plan, this.#world);
    try {
      await this.#startAll(graph.without(undefined));
    } catch (error) {
      await this.#world.stores.stop();
      throw error;
    }
    graph.connect();
    this.#graph = graph;
    this.state = 'running';
  }

  /**
   * Takes over another plan while batches flow: new parts start beside the old ones, arrows turn in one tick, then the parts
   * that are no longer needed drain. On any error the running graph stays as it is. One reload at a time.
   */
  reload(plan: Plan): Promise<ReloadStatus> {
    const next = this.#changing.then(() => this.#reload(plan));
    this.#changing = next;
    return next;
  }

  /** A reload that failed before there was a plan: the file does not load. */
  reloadFailed(error: Error): ReloadStatus {
    return this.#reloaded(error);
  }

  async #reload(plan: Plan): Promise<ReloadStatus> {
    const old = this.#graph;
    if (!old || this.state !== 'running') return this.#reloaded(new Error('the gateway is not running'));
    let graph: Graph;
    try {
      graph = new Graph(plan, this.#world, old);
      await this.#startAll(graph.without(old));
    } catch (error) {
      return this.#reloaded(error as Error);
    }
    if (this.#stopping) {
      await this.#undo(graph.without(old));
      return this.#reloaded(new Error('the gateway stops'));
    }
    graph.connect();
    this.#graph = graph;
    const status = this.#reloaded();
    this.#drain = deadlineIn(plan.drainTimeoutMs);
    await this.#stopAll(old.without(graph), this.#drain.signal, 'removed', graph);
    this.#drain.met();
    this.#drain = undefined;
    return status;
  }

  /** Receivers first, exporters last; each drains until `deadline`. Never throws: a component that fails to stop is logged. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#stopping) return;
    this.state = 'draining';
    // Nobody waits for what a reload removed any longer; intake ends at once, whatever it was that the reload waits for.
    this.#drain?.cut();
    await this.#stopAll(this.#parts('receivers'), deadline, 'shutdown');
    await this.#changing;
    await this.#stopAll(this.#parts('all others'), deadline, 'shutdown');
    await this.#world.stores.stop();
    this.state = 'stopped';
  }

  #parts(which: 'receivers' | 'all others'): Vertex[][] {
    const steps = this.#graph?.without(undefined) ?? [];
    return steps.filter(([first]) => (first!.kind === 'receiver') === (which === 'receivers'));
  }

  get #stopping(): boolean {
    return this.state === 'draining' || this.state === 'stopped';
  }

  async #startAll(steps: readonly (readonly Vertex[])[]): Promise<void> {
    await this.#world.stores.start();
    const started: Vertex[] = [];
    for (const vertex of steps.flat()) {
      started.push(vertex);
      try {
        await vertex.component.start?.();
        await vertex.outbox?.start();
      } catch (error) {
        await this.#undo(started.map(one => [one]));
        throw new StartError(vertex, error);
      }
    }
    this.#world.stores.warnOfUnread();
  }

  /** Stops what was started in vain. Queues of the running graph stay, and are read as before. */
  async #undo(started: readonly (readonly Vertex[])[]): Promise<void> {
    await this.#stopAll(started, AbortSignal.abort(), 'removed', this.#graph);
    for (const { key } of started.flat()) this.#graph?.vertices.get(key)?.outbox?.claim();
  }

  async #stopAll(
    steps: readonly (readonly Vertex[])[],
    deadline: AbortSignal,
    why: Leaving,
    successor?: Graph,
  ): Promise<void> {
    for (const step of steps.toReversed())
      await Promise.all(
        step.map(vertex => {
          // A queue goes on to the next outbox of its id, if that reads the same store.
          const next = successor?.vertices.get(vertex.key);
          const same = next && next.outbox?.store === vertex.outbox?.store;
          return this.#stopOne(vertex, deadline, same ? 'hand over' : why);
        }),
      );
  }

  /** @param queue what becomes of its queue: the next outbox of this id has it, or nobody */
  async #stopOne(vertex: Vertex, deadline: AbortSignal, queue: 'hand over' | Leaving): Promise<void> {
    try {
      const { outbox, component, kind } = vertex;
      if (outbox && queue !== 'hand over') await outbox.handOutAll(deadline);
      const ended = queue === 'hand over' ? outbox?.handOver(deadline) : outbox?.stop(deadline);
      // What a processor holds it lets go of when it is told to stop, and only then is its queue empty.
      if (kind !== 'exporter') await component.stop?.(deadline);
      await ended;
      if (queue !== 'hand over') outbox?.close(queue);
      if (kind === 'exporter') await component.stop?.(deadline);
    } catch (error) {
      this.#log.error('component did not stop cleanly', { component: vertex.key, error });
    }
  }

  #reloaded(error?: Error): ReloadStatus {
    this.lastReload = { atMs: this.#world.clock.now(), ok: !error, ...(error && { error: error.message }) };
    this.#reloads.record(1, { outcome: error ? 'failure' : 'success' });
    if (error) this.#log.error('reload failed, the running configuration stays', { error });
    else this.#log.info('configuration reloaded');
    return this.lastReload;
  }

  /** Refreshes the gauges of queues; called when metrics are read. */
  collect(): void {
    const now = this.#world.stores.clock.now();
    const shown = new Set<string>();
    for (const { outbox } of this.#graph?.vertices.values() ?? []) {
      if (!outbox?.queued) continue;
      const { id, depth } = outbox;
      const { batches, bytes, oldestMs } = depth;
      shown.add(id);
      this.#queueBatches.record(batches, { queue: id });
      this.#queueBytes.record(bytes, { queue: id });
      this.#queueOldest.record(oldestMs === undefined ? 0 : (now - oldestMs) / 1000, { queue: id });
    }
    for (const queue of this.#shown.difference(shown))
      for (const gauge of [this.#queueBatches, this.#queueBytes, this.#queueOldest]) gauge.forget?.({ queue });
    this.#shown = shown;
  }

  /** The part of the status that the graph knows. */
  status(): Pick<Status, 'pipelines' | 'components' | 'drops'> {
    const vertices = [...(this.#graph?.vertices.values() ?? [])].filter(({ kind }) => kind !== 'stages');
    return {
      pipelines: this.#graph?.plan.pipelines ?? [],
      components: vertices.map(componentStatus),
      drops: vertices.flatMap(({ id, observer }) =>
        [...observer.drops].map(([reason, items]) => ({ id, reason, items })),
      ),
    };
  }
}

function componentStatus(vertex: Vertex): ComponentStatus {
  const { id, kind, plan, condition, observer, outbox } = vertex;
  const paused = outbox?.paused;
  const depth = outbox?.queued ? outbox.depth : undefined;
  return {
    id,
    kind,
    type: plan.factory.type,
    health: condition.health,
    ...(condition.why !== undefined && { why: condition.why }),
    sinceMs: condition.sinceMs,
    counts: { ...observer.counts },
    ...(observer.lastError && { lastError: observer.lastError }),
    ...(depth &&
      outbox && {
        queue: {
          batches: depth.batches,
          bytes: depth.bytes,
          capacity: outbox.capacity.capacity,
          sizer: outbox.capacity.sizer,
          inFlight: depth.inFlight,
          ...(depth.oldestMs !== undefined && { oldestMs: depth.oldestMs }),
          ...(paused && { paused }),
        },
      }),
  };
}
