import {
  ACCEPTED,
  type Host,
  type Payload,
  type Profile,
  type ProfileBatch,
  type Result,
  type Sender,
  type Summary,
  type TraceBatch,
} from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';
import type { Config } from './config.ts';

/** One readable line per profile, on stdout. */
export class DebugExporter implements Sender<'profiles' | 'traces'> {
  readonly #config: Config;
  readonly #host: Host;
  readonly #write: (line: string) => void;

  /** @param write replaces stdout, for tests */
  constructor(config: Config, host: Host, write: (line: string) => void = line => void process.stdout.write(line)) {
    this.#config = config;
    this.#host = host;
    this.#write = write;
  }

  async send(batch: ProfileBatch | TraceBatch): Promise<Result<ProfileBatch | TraceBatch>> {
    if (batch.signal === 'traces') {
      this.#write(`${timeOf(batch)} traces ${batch.payload.form} ${sizeOf(batch.payload)}${tenantOf(batch)}\n`);
      return ACCEPTED;
    }
    for (const profile of batch.profiles) {
      const summary = this.#config.verbosity === 'detailed' ? await this.#host.summary(profile) : undefined;
      this.#write(`${lineOf(batch, profile)}${summary ? details(summary) : ''}\n`);
    }
    return ACCEPTED;
  }
}

function lineOf(batch: ProfileBatch, { attributes, payload, origin }: Profile): string {
  const key = keyIn(attributes, 'service_name');
  const service = (key && labelText(attributes.get(key))) || '-';
  const labels = [...attributes]
    .filter(([name]) => name !== key)
    .map(([name, value]) => `${quoted(name)}=${quoted(labelText(value) ?? '')}`);
  return `${timeOf(batch)} ${quoted(service)} ${payload.form} ${sizeOf(payload)} by ${origin?.door ?? '-'}${tenantOf(batch)} ${labels.join(' ')}`.trimEnd();
}

const timeOf = ({ receivedMs }: { receivedMs: number }) => new Date(receivedMs).toISOString();
const sizeOf = ({ bytes, encoding }: Payload) => `${bytes.length} bytes ${encoding}`;
const tenantOf = ({ tenant }: { tenant: string }) => (tenant === '' ? '' : ` tenant=${quoted(tenant)}`);

/** What JSON leaves as it is and a terminal obeys: C1 controls, direction marks, line and paragraph separators. */
const TERMINAL = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Names and values come from outside: quotes and escapes keep one profile on one line, and the terminal as it is. */
function quoted(text: string): string {
  if (/^[\w.:/@+-]+$/.test(text)) return text;
  return JSON.stringify(text).replace(
    TERMINAL,
    character => `\\u{${character.codePointAt(0)!.toString(16).padStart(4, '0')}}`,
  );
}

function details(summary: Summary): string {
  const types = summary.types.map(({ type, unit, total }) => `${quoted(type)}=${total} ${quoted(unit)}`).join(', ');
  const period = summary.periodType ? `, one sample per ${summary.period} ${quoted(summary.periodType.unit)}` : '';
  const start = summary.startNs > 0n ? new Date(Number(summary.startNs / 1_000_000n)).toISOString() : 'unknown';
  return `\n    ${types}; ${summary.samples} samples, ${summary.locations} locations, ${summary.functions} functions; from ${start} for ${summary.durationNs / 1_000_000n} ms${period}`;
}
