import type { Clock, Component, Instrument, Listen, Logger, Memory, Meter, Protocol } from '../api/index.ts';
import { Arriving } from './arriving.ts';
import { isLoopback, parseEndpoint } from './endpoint.ts';
import { type Binding, bindingOf, PortServer } from './server.ts';

/** A body that brings no byte for this long is given up, ms. */
const STALL_MS = 30_000;

interface Port {
  readonly server: PortServer;
  readonly opened: Promise<void>;
  readonly tls: string;
  /** Oldest first. Of one owner's, the newest serves; an older one underneath serves again when the newer leaves. */
  readonly stack: Binding[];
}

export interface ListenerStatus {
  readonly endpoint: string;
  readonly address: string;
  readonly protocols: readonly string[];
}

/** The ports of the process. They belong to no component, so a reload opens and closes none that both configurations use. */
export class Listeners {
  readonly #ports = new Map<string, Port>();
  readonly #arriving: Arriving;
  readonly #log: Logger;
  readonly #requests: Instrument;
  readonly #bugs: Instrument;
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
    return this.#ports.get(endpoint)?.server.address;
  }

  status(): ListenerStatus[] {
    return [...this.#ports.values()].map(({ server }) => ({
      endpoint: server.endpoint,
      address: server.address ? `${server.address.host}:${server.address.port}` : '',
      protocols: server.bindings.map(({ protocol }) => protocol.name),
    }));
  }

  async close(deadline: AbortSignal): Promise<void> {
    for (const { stack } of [...this.#ports.values()])
      for (const binding of [...stack]) await this.#leave(binding, deadline);
  }

  async #join(binding: Binding): Promise<void> {
    const { endpoint, tls } = binding.at;
    const wanted = JSON.stringify(tls ?? null);
    let port = this.#ports.get(endpoint);
    if (port && port.tls !== wanted)
      throw new Error(
        `cannot listen on ${endpoint}: it is open with other tls settings; all protocols of a port share them`,
      );
    if (!port) {
      const server = new PortServer(binding.at, {
        arriving: this.#arriving,
        log: this.#log,
        requests: this.#requests,
        bugs: this.#bugs,
        stallMs: this.#stallMs,
      });
      port = { server, opened: server.open(), tls: wanted, stack: [] };
      this.#ports.set(endpoint, port);
    }
    port.stack.push(binding);
    try {
      await port.opened;
    } catch (error) {
      this.#remove(port, binding);
      if (port.stack.length === 0) {
        this.#ports.delete(endpoint);
        await port.server.close();
      }
      throw error;
    }
    this.#arrange(port);
    const address = port.server.address!;
    this.#log.info('listening', {
      endpoint,
      address: `${address.host}:${address.port}`,
      protocol: binding.protocol.name,
      owner: binding.owner,
    });
    if (!isLoopback(parseEndpoint(endpoint).host) && !binding.at.auth)
      this.#log.warn('listening beyond loopback without auth', { endpoint, owner: binding.owner });
  }

  async #leave(binding: Binding, deadline: AbortSignal): Promise<void> {
    const { endpoint } = binding.at;
    const port = this.#ports.get(endpoint);
    if (!port?.stack.includes(binding)) return;
    this.#remove(port, binding);
    this.#arrange(port);
    const last = port.stack.length === 0;
    if (last) this.#ports.delete(endpoint);
    const closed = last ? port.server.close() : undefined;
    if (binding.inFlight > 0 && !deadline.aborted)
      await new Promise<void>(resolve => {
        binding.idle = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
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
