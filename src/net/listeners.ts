import type { Clock, Component, Instrument, Listen, Logger, Memory, Meter, Protocol } from '../api/index.ts';
import { Arriving } from './arriving.ts';
import { addressOf, isLoopback, parseEndpoint } from './endpoint.ts';
import { type Binding, bindingOf } from './routing.ts';
import { type PortError, PortServer } from './server.ts';

/** A body that brings no byte for this long is given up, ms. */
const STALL_MS = 30_000;

interface Port {
  readonly server: PortServer;
  readonly address: string;
  readonly tls: string;
  /** Oldest first. Of one owner's, the newest serves; an older one underneath serves again when the newer leaves. */
  readonly stack: Binding[];
  opened: Promise<void>;
  /** Ports that stopped listening so that this one could; they listen again should it close before they do. */
  over: Port[];
}

export interface ListenerStatus {
  readonly endpoint: string;
  readonly address: string;
  readonly protocols: readonly string[];
}

/** The ports of the process. They belong to no component, so a reload opens and closes none that both configurations use. */
export class Listeners {
  readonly #ports = new Set<Port>();
  readonly #arriving: Arriving;
  readonly #log: Logger;
  readonly #requests: Instrument;
  readonly #bugs: Instrument;
  readonly #reloads: Instrument;
  readonly #stallMs: number;

  constructor(of: { memory: Memory; log: Logger; meter: Meter; clock?: Clock; stallMs?: number }) {
    this.#arriving = new Arriving(of.memory);
    this.#log = of.log;
    this.#stallMs = of.stallMs ?? STALL_MS;
    this.#requests = of.meter.counter('flamegate_http_requests_total', {
      help: 'Requests answered, by protocol and status code.',
      labels: ['protocol', 'code'],
    });
    this.#bugs = of.meter.counter('flamegate_internal_errors_total', { help: 'Exceptions on the data path: bugs.' });
    this.#reloads = of.meter.counter('flamegate_tls_reloads_total', {
      help: 'Changes of certificate files of a port, by whether they could be used.',
      labels: ['outcome'],
    });
  }

  /** A protocol on a port: start opens or joins the port, stop waits for its requests and leaves. */
  bind(owner: string, at: Listen, protocol: Protocol): Component {
    let binding: Binding | undefined;
    return {
      start: async () => {
        binding = bindingOf(owner, at, protocol);
        await this.#join(binding);
      },
      stop: async deadline => {
        const leaving = binding;
        binding = undefined;
        if (leaving) await this.#leave(leaving, deadline);
      },
    };
  }

  /** Where an endpoint really listens; its port differs from the configured one when that is 0. */
  address(endpoint: string): { host: string; port: number } | undefined {
    const address = addressOf(endpoint);
    return [...this.#ports].find(port => port.address === address && port.server.address)?.server.address;
  }

  status(): ListenerStatus[] {
    return [...this.#ports]
      .filter(({ server }) => server.address)
      .map(({ server }) => ({
        endpoint: server.endpoint,
        address: textOf(server.address!),
        protocols: server.bindings.map(({ protocol }) => protocol.name),
      }));
  }

  async close(deadline: AbortSignal): Promise<void> {
    for (const { stack } of [...this.#ports]) for (const binding of [...stack]) await this.#leave(binding, deadline);
  }

  async #join(binding: Binding): Promise<void> {
    const { endpoint } = binding.at;
    const address = addressOf(endpoint);
    const tls = JSON.stringify(binding.at.tls ?? null);
    let port = [...this.#ports].find(one => one.address === address && one.tls === tls && !this.#yielded(one));
    if (!port) {
      const server = new PortServer(binding.at, {
        arriving: this.#arriving,
        log: this.#log,
        requests: this.#requests,
        bugs: this.#bugs,
        reloads: this.#reloads,
        stallMs: this.#stallMs,
      });
      port = { server, address, tls, stack: [], opened: Promise.resolve(), over: [] };
      port.opened = this.#open(port);
      this.#ports.add(port);
    }
    port.stack.push(binding);
    try {
      await port.opened;
    } catch (error) {
      this.#remove(port, binding);
      if (port.stack.length === 0) await this.#close(port);
      throw error;
    }
    this.#arrange(port);
    this.#log.info('listening', {
      endpoint,
      address: textOf(port.server.address!),
      protocol: binding.protocol.name,
      owner: binding.owner,
    });
    const { auth, tls: secure } = binding.at;
    if (!isLoopback(parseEndpoint(endpoint).host) && !auth && secure?.client_ca_file === undefined)
      this.#log.warn('listening beyond loopback without auth', { endpoint, owner: binding.owner });
  }

  /**
   * Opens a port. Where this process itself has the address, by another spelling, as a part of it or with other tls settings, what
   * has it yields: a configuration never holds both (planned.ts), so it is about to leave. New connections are refused for less than a
   * millisecond, those that there are go on.
   */
  async #open(port: Port): Promise<void> {
    try {
      await port.server.open();
    } catch (error) {
      const number = parseEndpoint(port.address).port;
      const held = [...this.#ports].filter(({ server }) => server.address?.port === number);
      if (!(error as PortError).taken || held.length === 0) throw error;
      for (const { server } of held) server.pause();
      try {
        await port.server.open();
      } catch (again) {
        for (const { server } of held) await server.open();
        throw again;
      }
      port.over = held;
    }
  }

  #yielded(port: Port): boolean {
    return [...this.#ports].some(({ over }) => over.includes(port));
  }

  async #leave(binding: Binding, deadline: AbortSignal): Promise<void> {
    const port = [...this.#ports].find(({ stack }) => stack.includes(binding));
    if (!port) return;
    this.#remove(port, binding);
    this.#arrange(port);
    const closed = port.stack.length === 0 ? this.#close(port) : undefined;
    if (binding.inFlight > 0 && !deadline.aborted)
      await new Promise<void>(resolve => {
        binding.idle = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    await closed;
  }

  async #close(port: Port): Promise<void> {
    this.#ports.delete(port);
    const above = [...this.#ports].find(({ over }) => over.includes(port));
    const below = port.over.filter(one => this.#ports.has(one));
    const heir = above ?? below[0];
    if (heir?.tls === port.tls) heir.server.adopt(port.server);
    const closed = port.server.close();
    if (above) above.over = above.over.flatMap(one => (one === port ? below : [one]));
    else
      for (const { server } of below)
        await server.open().catch(error => this.#log.error('port did not open again', { error }));
    await closed;
  }

  #remove(port: Port, binding: Binding): void {
    port.stack.splice(port.stack.indexOf(binding), 1);
  }

  #arrange(port: Port): void {
    const newest = new Map<string, Binding>();
    for (const binding of port.stack) newest.set(`${binding.owner} ${binding.protocol.name}`, binding);
    port.server.bindings = [...newest.values()];
  }
}

function textOf({ host, port }: { host: string; port: number }): string {
  return `${host}:${port}`;
}
