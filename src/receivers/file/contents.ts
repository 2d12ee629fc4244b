// What lies in a file: compression, form, and the requests of OTLP.
import type { Encoding, Form, Host, Memory, Origin, Payload } from '../../api/index.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { encodingOf, MAX_LAYERS } from '../../wire/gzip.ts';
import { inflate } from '../../wire/inflate.ts';
import { formOfFile, requestsOf } from '../../wire/otlp/requests.ts';

export const ORIGIN: Origin = { door: 'file' };
/** How long to wait where there is no room, ms. */
const RETRY_AFTER_MS = 1000;

export interface Contents {
  readonly form: Form;
  readonly payloads: readonly Payload[];
  /** What of OTLP nothing can carry on, by reason; what other forms lose is lost where they are converted. */
  readonly losses: readonly { readonly reason: string; readonly items: number }[];
}

/** Slabs that are held for one file. */
export class Held {
  readonly #memory: Memory;
  readonly #slabs: Buffer[] = [];

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** @throws DecodeError memory_limit */
  lease(size: number): Buffer {
    const slab = this.#memory.lease(size);
    if (!slab)
      throw new DecodeError('memory_limit', 'the gateway holds as much as it may, try again later', RETRY_AFTER_MS);
    this.#slabs.push(slab.bytes);
    return slab.bytes.subarray(0, size);
  }

  release(): void {
    for (const bytes of this.#slabs.splice(0)) this.#memory.release(bytes);
  }
}

/**
 * All of it checked, before anybody is given it. gzip around anything but OTLP stays, zstd and a second compression do not.
 * @param held what inflated bytes are put into
 * @throws DecodeError unknown_format, unsupported_encoding, empty_body, memory_limit; as `inflate`, `Host.examine` and `Host.otlp`
 */
export async function contentsOf(file: Buffer, maxInflated: number, host: Host, held: Held): Promise<Contents> {
  const { form, encoding, bytes } = await opened(file, maxInflated, host.memory, held);
  if (form === 'otlp') return otlpContents(bytes, host);
  const { summary } = await host.examine({ form, encoding, bytes }, maxInflated, ORIGIN);
  return { form, payloads: [{ form, encoding, bytes, summaries: [summary] }], losses: [] };
}

interface Opened {
  readonly form: Form;
  readonly encoding: Encoding;
  readonly bytes: Buffer;
}

async function opened(file: Buffer, maxInflated: number, memory: Memory, held: Held): Promise<Opened> {
  let bytes = file;
  for (let layer = 0; layer <= MAX_LAYERS; layer++) {
    const encoding = encodingOf(bytes);
    if (encoding === 'identity') return { form: knownForm(bytes), encoding, bytes };
    const inside = await inflate({ encoding, bytes }, maxInflated, { room: memory }, raw => {
      const form = encodingOf(raw) === 'identity' ? knownForm(raw) : undefined;
      // Every store takes gzip as it is.
      if (encoding === 'gzip' && form !== undefined && form !== 'otlp') return { form };
      const plain = held.lease(raw.length);
      plain.set(raw);
      return { plain };
    });
    if (inside.form) return { form: inside.form, encoding, bytes };
    bytes = inside.plain;
  }
  throw new DecodeError('unsupported_encoding', `compressed more than ${MAX_LAYERS} times`);
}

function knownForm(bytes: Uint8Array): Form {
  if (bytes.length === 0) throw new DecodeError('empty_body', 'there is nothing in it');
  const form = formOfFile(bytes);
  if (form === undefined) throw new DecodeError('unknown_format', 'in no form that can be read');
  return form;
}

async function otlpContents(bytes: Buffer, host: Host): Promise<Contents> {
  const payloads: Payload[] = [];
  const lost = new Map<string, number>();
  const { wire, requests } = requestsOf(bytes);
  for (const received of requests) {
    const { rewritten, summaries, references, losses } = await host.otlp(received, {
      signal: 'profiles',
      wire,
      version: 'auto',
      validate: 'full',
    });
    const request = rewritten ?? received;
    if (request.length === 0) continue;
    payloads.push({
      form: 'otlp',
      encoding: 'identity',
      bytes: request,
      ...(summaries && { summaries }),
      ...(references === false && { references }),
    });
    for (const { reason, items } of losses ?? []) lost.set(reason, (lost.get(reason) ?? 0) + items);
  }
  return { form: 'otlp', payloads, losses: [...lost].map(([reason, items]) => ({ reason, items })) };
}
