import type { Component, Listen, Protocol, Route } from '../api/index.ts';
import { overlap, parseEndpoint } from './endpoint.ts';

interface Planned {
  readonly owner: string;
  readonly at: Listen;
  readonly protocol: Protocol;
}

/**
 * The ports of a configuration that does not run: nothing is opened, but what would get in each other's way is found. It is asked
 * before a graph starts, since while one graph takes over from another both may rightly be on a port.
 */
export class PlannedPorts {
  readonly #planned: Planned[] = [];
  /** Sentences, in the order in which they were found. */
  readonly problems: string[] = [];

  bind(owner: string, at: Listen, protocol: Protocol): Component {
    const next: Planned = { owner, at, protocol };
    for (const known of this.#planned) {
      const problem = known.owner === owner ? undefined : conflict(known, next);
      if (problem !== undefined) this.problems.push(problem);
    }
    this.#planned.push(next);
    return {};
  }
}

function conflict(first: Planned, second: Planned): string | undefined {
  const [a, b] = [parseEndpoint(first.at.endpoint), parseEndpoint(second.at.endpoint)];
  if (!overlap(a, b)) return undefined;
  const both = `${first.owner} and ${second.owner}`;
  if (a.host !== b.host)
    return `${both} cannot both listen, on ${first.at.endpoint} and on ${second.at.endpoint}: one address covers the other; give both the same endpoint, or different ports`;
  const where = first.at.endpoint;
  if (JSON.stringify(first.at.tls) !== JSON.stringify(second.at.tls))
    return `${both} share the port ${where} with different tls settings; give both the same, or different ports`;
  for (const one of first.protocol.routes) {
    const other = second.protocol.routes.find(route => meet(one, route));
    if (other)
      return `${both} both serve ${one.method} ${one.path} on ${where}: the second would never get a request; give one of them another endpoint`;
  }
  return undefined;
}

/** Whether some path belongs to both. */
function meet(a: Route, b: Route): boolean {
  if (a.method !== b.method) return false;
  const [one, other] = [tailOf(a.path), tailOf(b.path)];
  if (one === undefined) return other === undefined ? a.path === b.path : a.path.endsWith(other);
  return other === undefined ? b.path.endsWith(one) : one.endsWith(other) || other.endsWith(one);
}

function tailOf(path: string): string | undefined {
  return path[0] === '*' ? path.slice(1) : undefined;
}
