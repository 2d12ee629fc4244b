import type { Listen, Protocol, Response, Route } from '../api/index.ts';
import type { Keepalive } from './accepting.ts';
import { authorization } from './auth.ts';
import { keepaliveOf } from './keepalive.ts';

/** One protocol of one owner on a port. */
export interface Binding {
  readonly owner: string;
  readonly protocol: Protocol;
  readonly at: Listen;
  readonly expected: (() => string) | undefined;
  readonly keepalive: Keepalive | undefined;
  inFlight: number;
  idle: (() => void) | undefined;
}

/** What a binding needs beside the component's own protocol. */
export function bindingOf(owner: string, at: Listen, protocol: Protocol): Binding {
  return {
    owner,
    at,
    protocol,
    expected: authorization(at.auth),
    keepalive: keepaliveOf(at),
    inFlight: 0,
    idle: undefined,
  };
}

/** The route of a request, or what it hears when there is none. Routes are tried in the order in which protocols were bound. */
export function findRoute(
  bindings: readonly Binding[],
  path: string,
  method: string,
): { binding: Binding; route: Route } | Response {
  const asked = method === 'HEAD' ? 'GET' : method;
  const allowed = new Set<string>();
  for (const binding of bindings) {
    for (const route of binding.protocol.routes) {
      if (route.path[0] === '*' ? !path.endsWith(route.path.slice(1)) : path !== route.path) continue;
      if (route.method === asked) return { binding, route };
      allowed.add(route.method);
    }
  }
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  if (allowed.size > 0) {
    const allow = [...allowed].join(', ');
    return { status: 405, headers: { ...headers, allow }, body: `method not allowed here, use ${allow}\n` };
  }
  const paths = new Set(
    bindings.flatMap(({ protocol }) => protocol.routes.map(route => `${route.method} ${route.path}`)),
  );
  return { status: 404, headers, body: `nothing is served at this path; here are:\n${[...paths].join('\n')}\n` };
}
