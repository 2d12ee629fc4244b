// What one connection of HTTP/2 may cost. Many requests share it, so that most bounds are on all of them together.
import type { ServerSessionOptions } from 'node:http2';

const KIB = 1024;

/** Requests under way on one connection. Go's own servers take 250; each may hold a body, and a sender that needs more opens a second. */
export const MAX_CONCURRENT_STREAMS = 128;
/** Longest list of header fields of a request, bytes (RFC 9113 section 6.5.2): as long as a head of HTTP/1.1. */
export const MAX_HEADER_LIST_BYTES = 32 * KIB;
/** Header fields of a request. Gateways in front add about twenty. */
const MAX_HEADER_FIELDS = 128;
/**
 * What a sender may have sent of one body before it was read, bytes: all of a usual profile in one go, and 40 MB/s over 100 ms of
 * distance for large ones.
 */
const STREAM_WINDOW_BYTES = 4 * KIB * KIB;
/** The same of all bodies of one connection, bytes. What nobody reads of them lies in Node's own memory until it is. */
export const CONNECTION_WINDOW_BYTES = 16 * KIB * KIB;
/** Longest frame, bytes: a profile in one, instead of a call for each 16 KiB of it. */
const MAX_FRAME_BYTES = 256 * KIB;
/** What Node may hold for one connection, MB: the connection's window, twice, since it counts what it is writing too. */
const MAX_SESSION_MEMORY_MB = 32;
/** Frames that no client sends by mistake this often. Afterwards the connection is closed. */
const MAX_INVALID_FRAMES = 100;
/** Requests above MAX_CONCURRENT_STREAMS; a client may have sent some before it read our settings. */
const MAX_REJECTED_STREAMS = 100;
/**
 * Requests taken back by their sender (CVE-2023-44487): so many at once, and so many a second. Clients take back what took too long,
 * at worst all that is under way when they stop.
 */
const RESET_BURST = 1000;
const RESETS_PER_SECOND = 50;
/** Pings and settings that wait for an answer. */
const MAX_OUTSTANDING_PINGS = 10;
const MAX_OUTSTANDING_SETTINGS = 10;

export const SESSION_OPTIONS: ServerSessionOptions & Record<string, unknown> = {
  maxSessionMemory: MAX_SESSION_MEMORY_MB,
  maxSessionInvalidFrames: MAX_INVALID_FRAMES,
  maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
  maxHeaderListPairs: MAX_HEADER_FIELDS,
  maxOutstandingPings: MAX_OUTSTANDING_PINGS,
  maxOutstandingSettings: MAX_OUTSTANDING_SETTINGS,
  streamResetBurst: RESET_BURST,
  streamResetRate: RESETS_PER_SECOND,
  settings: {
    enablePush: false,
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxFrameSize: MAX_FRAME_BYTES,
    maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
    maxHeaderListSize: MAX_HEADER_LIST_BYTES,
  },
};
