// Cycles in the graph of pipelines, each with the way round.

/** A pipeline, and the pipelines that its connectors lead to. */
export interface Edges<T extends { readonly id: string }> {
  readonly id: string;
  readonly to: readonly { readonly id: string; readonly through: T }[];
}
export interface Cycle<T> {
  /** Pipelines and connectors in turn, the first pipeline again at the end. */
  readonly path: readonly string[];
  /** The connector that leads back. */
  readonly closing: T;
}

/** One cycle per edge that leads back. Depth first, on a stack of its own: a chain of pipelines may be longer than the call stack. */
export function findCycles<T extends { readonly id: string }>(graph: readonly Edges<T>[]): Cycle<T>[] {
  const edges = new Map(graph.map(node => [node.id, node.to]));
  const cycles: Cycle<T>[] = [];
  const done = new Set<string>();
  // The way to the current pipeline: each step with the connector that led into it and the edge to follow next.
  const way: { id: string; via: string; next: number }[] = [];
  const position = new Map<string, number>();
  const enter = (id: string, via: string) => {
    position.set(id, way.length);
    way.push({ id, via, next: 0 });
  };
  for (const { id } of graph) {
    if (!done.has(id)) enter(id, '');
    for (let here = way.at(-1); here; here = way.at(-1)) {
      const edge = edges.get(here.id)?.[here.next++];
      if (!edge) {
        way.pop();
        position.delete(here.id);
        done.add(here.id);
        continue;
      }
      const start = position.get(edge.id);
      if (start !== undefined) {
        const round = way.slice(start).flatMap((step, index) => (index === 0 ? [step.id] : [step.via, step.id]));
        cycles.push({ path: [...round, edge.through.id, edge.id], closing: edge.through });
      } else if (!done.has(edge.id)) enter(edge.id, edge.through.id);
    }
  }
  return cycles;
}
