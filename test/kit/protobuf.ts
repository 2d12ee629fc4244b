// Protobuf by hand: slow, plain, and able to write what no producer should.

/** A varint; `padding` more bytes than it needs. */
export function varint(value: bigint | number, padding = 0): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  for (let left = Math.min(padding, 10 - out.length); left > 0; left--) {
    out[out.length - 1]! |= 0x80;
    out.push(0);
  }
  return out;
}

export const number = (field: number, value: bigint | number): number[] => [...varint(field * 8), ...varint(value)];

export const bytes = (field: number, content: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(content.length),
  ...content,
];

export const text = (field: number, value: string): number[] => bytes(field, [...Buffer.from(value)]);

export interface Field {
  readonly field: number;
  readonly type: number;
  readonly value: bigint;
  readonly content: Buffer;
  /** The field as it stands, tag included. */
  readonly raw: Buffer;
}

/** The fields of a sound message. @throws RangeError where a number is cut off or too long */
export function fieldsOf(message: Uint8Array): Field[] {
  const found: Field[] = [];
  let at = 0;
  const read = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined || shift > 63n) throw new RangeError(`the message ends inside a number, at ${at - 1}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const from = at;
    const tag = Number(read());
    const type = tag & 7;
    const value = type === 0 || type === 2 ? read() : 0n;
    const size = type === 1 ? 8 : type === 5 ? 4 : type === 2 ? Number(value) : 0;
    at += size;
    found.push({
      field: tag >>> 3,
      type,
      value,
      content: Buffer.from(message.subarray(at - size, at)),
      raw: Buffer.from(message.subarray(from, at)),
    });
  }
  return found;
}
