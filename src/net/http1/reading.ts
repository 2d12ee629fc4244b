import { Socket } from 'node:net';

/** Bytes that are read at once. One buffer serves all connections, since each read is used up before the next. */
const READ_BYTES = 256 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * The same connection with reads into the static buffer. `onread` is public for sockets that connect; for accepted ones the
 * handle has to move to a new socket, by properties that are not documented: where they are missing, plain `data` events serve.
 */
export function reading(accepted: Socket, read: (bytes: Buffer) => void): Socket {
  const inner = accepted as unknown as { _handle: { useUserBuffer?: unknown } | null };
  const handle = inner._handle;
  if (!handle || typeof handle.useUserBuffer !== 'function' || 'encrypted' in accepted) {
    accepted.on('data', read);
    return accepted;
  }
  inner._handle = null;
  const onread = {
    buffer: readBuffer,
    callback: (size: number) => {
      read(readBuffer.subarray(0, size));
      return true;
    },
  };
  return new Socket({ handle, onread, allowHalfOpen: true } as object);
}

/** Ends that, and puts bytes back for who reads this connection from here on. */
export function unread(socket: Socket, bytes: Buffer): void {
  // Plain `data` events would take them.
  if (socket.readableFlowing) socket.removeAllListeners('data').pause();
  socket.unshift(bytes);
}
