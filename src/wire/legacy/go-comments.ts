import { takeRoom } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { type TextLines, trimBlanks, utf8 } from '../text-lines.ts';
import type { AddressName, AddressSamples } from './address-samples.ts';
import { address } from './text.ts';

const SYMBOL = /^#\t+0x([0-9a-f]+)\t+([^\t]+)\+0x[0-9a-f]+\t+([^\t]+):([0-9]{1,9})$/;
/** About what a name costs while it is held, bytes. */
const NAME_BYTES = 200;
/** Longer labels are none. */
const MAX_LABELS = 65_536;
const LABELS = '# labels: ';

/**
 * Comments that Go's runtime/pprof writes with `debug=1`: behind a sample what its addresses are called, and its labels. pprof passes over
 * them; they are all that is known of a program that is not at hand. A call that was inlined has a line of its own with the same address.
 */
export class GoComments {
  readonly #lines: TextLines;
  readonly #samples: AddressSamples;
  readonly #losses: Losses | undefined;
  #address = -1n;
  #symbols: AddressName[] = [];

  constructor(lines: TextLines, samples: AddressSamples, losses: Losses | undefined) {
    this.#lines = lines;
    this.#samples = samples;
    this.#losses = losses;
  }

  /** Takes the comment at hand. @throws DecodeError bad_legacy */
  take(): void {
    const { text } = this.#lines;
    const [, hex, name, file, line] = SYMBOL.exec(text) ?? [];
    if (hex !== undefined) {
      const at = address(hex, this.#lines);
      if (at !== this.#address) this.end();
      this.#address = at;
      takeRoom(NAME_BYTES);
      this.#symbols.push({ name: utf8(name!), file: utf8(file!), line: BigInt(line!) });
    } else if (text.startsWith(LABELS)) this.#label(utf8(text.slice(LABELS.length)));
    else if (trimBlanks(text.slice(1)) !== '' && !/^#\t+0x[0-9a-f]+$/.test(text)) this.#losses?.add('legacy_comment');
  }

  /** Of the comments on one sample these were all. */
  end(): void {
    if (this.#symbols.length === 0) return;
    this.#samples.symbol(this.#address, this.#symbols);
    this.#symbols = [];
  }

  /** `{"key":"value", "other":"value"}`, quoted as Go does: nearly JSON. */
  #label(text: string): void {
    let labels: unknown;
    try {
      if (text.length <= MAX_LABELS) labels = JSON.parse(text);
    } catch {}
    const { builder } = this.#samples;
    const isKnown = typeof labels === 'object' && labels !== null && builder.columns.samples.count > 0;
    if (!isKnown) {
      this.#losses?.add('legacy_comment');
      return;
    }
    for (const [key, value] of Object.entries(labels as object))
      if (typeof value === 'string') builder.label(builder.string(key), builder.string(value.toWellFormed()));
  }
}
