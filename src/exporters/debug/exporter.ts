import {
  ACCEPTED,
  type Host,
  type Profile,
  type ProfileBatch,
  type Result,
  type Sender,
  type Summary,
} from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';
import type { Config } from './config.ts';

/** One readable line per profile, on stdout. */
export class DebugExporter implements Sender<'profiles'> {
  readonly #config: Config;
  readonly #host: Host;
  readonly #write: (line: string) => void;

  /** @param write replaces stdout, for tests */
  constructor(config: Config, host: Host, write: (line: string) => void = line => void process.stdout.write(line)) {
    this.#config = config;
    this.#host = host;
    this.#write = write;
  }

  async send(batch: ProfileBatch): Promise<Result<ProfileBatch>> {
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
  const tenant = batch.tenant === '' ? '' : ` tenant=${quoted(batch.tenant)}`;
  const time = new Date(batch.receivedMs).toISOString();
  return `${time} ${quoted(service)} ${payload.form} ${payload.bytes.length} bytes ${payload.encoding} by ${origin?.door ?? '-'}${tenant} ${labels.join(' ')}`.trimEnd();
}

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
