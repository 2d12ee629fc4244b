// The Go program of otlp-go: a client and a store whose wire is the Collector's own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Signal } from '../kit/otlp-store.ts';

/** What it sends; see Order in otlp-go/main.go. */
export interface Order {
  readonly name: string;
  readonly signal: Signal;
  readonly by: 'grpc' | 'http';
  readonly json?: boolean;
  readonly gzip?: boolean;
  /** Without `file` and `raw`: of the one sample or span that pdata makes. */
  readonly value?: number;
  /** A protobuf request that pdata reads and writes anew. */
  readonly file?: string;
  /** Sent as it is. */
  readonly raw?: Uint8Array;
  readonly path?: string;
}
/** What it heard; fields without a value are absent. */
export interface GoAnswer {
  readonly name: string;
  /** gRPC code; over HTTP of the google.rpc.Status in the body, -1 when the body is none. */
  readonly code: number;
  readonly message: string;
  readonly httpStatus?: number;
  readonly contentType?: string;
  readonly retryAfter?: string;
  readonly retryDelayMs?: number;
  readonly badRequest?: readonly string[];
  readonly rejected: number;
  readonly partial: string;
  readonly failure?: string;
}

/** Sends all of this one after another. @param grpc host:port @param http a URL without a path */
export async function sendByGo(
  program: string,
  { grpc, http }: { grpc: string; http: string },
  orders: readonly Order[],
): Promise<GoAnswer[]> {
  const child = spawn(program, ['send', grpc, http], { stdio: ['pipe', 'pipe', 'inherit'] });
  for (const order of orders)
    child.stdin.write(`${JSON.stringify({ ...order, raw: order.raw && Buffer.from(order.raw).toString('base64') })}\n`);
  child.stdin.end();
  const answers: GoAnswer[] = [];
  for await (const line of createInterface(child.stdout)) answers.push(JSON.parse(line));
  if (answers.length !== orders.length) throw new Error(`${answers.length} answers to ${orders.length} requests`);
  return answers;
}

/** A request as pdata read it. */
export interface GoDelivery {
  readonly signal: Signal;
  readonly resources: readonly Record<string, unknown>[];
  readonly items: number;
  readonly sums?: readonly number[];
  readonly leaves?: readonly string[];
}

/** A store on gRPC, whose decoder is pdata. */
export class GoStore {
  readonly address: string;
  readonly deliveries: GoDelivery[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  private constructor(address: string, child: ChildProcess) {
    this.address = address;
    this.#child = child;
  }

  static async start(program: string): Promise<GoStore> {
    const child = spawn(program, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout);
    const address = await new Promise<string>((resolve, reject) => {
      lines.once('line', line => resolve(JSON.parse(line).listening));
      child.once('exit', code => reject(new Error(`the Go store ended with ${code}`)));
    });
    const store = new GoStore(address, child);
    lines.on('line', line => {
      store.deliveries.push(JSON.parse(line));
      for (const check of store.#waiting) check();
    });
    return store;
  }

  /** Resolves when that many requests are there; rejects after `ms`. */
  until(count: number, ms = 20_000): Promise<void> {
    if (this.deliveries.length >= count) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.deliveries.length < count) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const timer = setTimeout(
        () => reject(new Error(`Go store: ${this.deliveries.length} of ${count} deliveries`)),
        ms,
      );
      this.#waiting.add(check);
    });
  }

  async stop(): Promise<void> {
    const gone = new Promise(done => this.#child.once('close', done));
    this.#child.stdin!.end();
    await gone;
  }
}
