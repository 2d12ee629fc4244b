// Clients that mean no good, as raw connections.
import { connect, type Socket } from 'node:net';

export interface Crowd {
  readonly size: number;
  /** Connections that the gateway closed so far. */
  readonly closed: number;
  /** Status codes that it said before, with how often. */
  readonly statuses: ReadonlyMap<string, number>;
  /** How long the last one that was closed had lived, ms. */
  readonly longestMs: number;
  /** Resolves when all are closed by the gateway. */
  readonly gone: Promise<void>;
  /** Leaves. */
  end(): void;
}

/** Connections made at a time, so that none waits so long for its turn that the system gives it up. */
const AT_ONCE = 200;

/**
 * Opens connections; `begin` is what each does, `unread` leaves alone what comes back.
 * @returns once all are connected
 */
export async function crowd(
  port: number,
  size: number,
  begin: (socket: Socket) => void = () => {},
  { unread = false } = {},
): Promise<Crowd> {
  const sockets = new Set<Socket>();
  const statuses = new Map<string, number>();
  const gone = Promise.withResolvers<void>();
  const state = { size, closed: 0, longestMs: 0 };
  const open = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let startMs = 0;
      let head = '';
      socket.on('connect', () => {
        startMs = performance.now();
        sockets.add(socket);
        begin(socket);
        resolve();
      });
      if (!unread)
        socket.on('data', chunk => {
          if (head.length < 12) head += chunk.toString('latin1', 0, 12);
        });
      // The gateway closes while we write: that is the end too.
      socket.on('error', error => {
        if (startMs === 0) reject(error);
      });
      socket.on('close', () => {
        sockets.delete(socket);
        const status = head.slice(9, 12) || 'none';
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        state.longestMs = Math.max(state.longestMs, performance.now() - startMs);
        if (++state.closed === size) gone.resolve();
      });
    });
  for (let left = size; left > 0; left -= AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, open));
  const end = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    size,
    statuses,
    gone: gone.promise,
    end,
    get closed() {
      return state.closed;
    },
    get longestMs() {
      return state.longestMs;
    },
  };
}

/** Writes the next piece every so often until the connection is closed. */
export function drip(socket: Socket, everyMs: number, piece: () => string): void {
  const timer = setInterval(() => {
    if (socket.writable) socket.write(piece(), 'latin1');
  }, everyMs);
  timer.unref();
  socket.on('close', () => clearInterval(timer));
}

/** Writes as fast as it is taken. */
export function flood(socket: Socket, piece: string): void {
  const more = () => {
    while (socket.writable) if (!socket.write(piece, 'latin1')) return;
  };
  socket.on('drain', more);
  more();
}
