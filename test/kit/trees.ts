// Trees and tries of Pyroscope, written by what their description says.
import { varint } from './protobuf.ts';

export interface Node {
  readonly name: string | Uint8Array;
  readonly value: bigint;
  readonly children: readonly Node[];
}

/** Nodes in pre-order: length of the name, name, value, number of children. */
export function nodeBytes({ name, value, children }: Node): Buffer {
  const own = Buffer.from(name as string);
  const head = [...varint(BigInt(own.length)), ...own, ...varint(value), ...varint(BigInt(children.length))];
  return Buffer.concat([Buffer.from(head), ...children.map(nodeBytes)]);
}

/** A tree of stacks, root first, with the sums of their values; children in order of their names. */
export function treeOf(stacks: ReadonlyMap<string, bigint>): Node {
  const build = (name: string, entries: [string[], bigint][]): Node => {
    const groups = new Map<string, [string[], bigint][]>();
    for (const [[first, ...rest], value] of entries)
      if (first !== undefined) groups.set(first, [...(groups.get(first) ?? []), [rest, value]]);
    return {
      name,
      value: entries.reduce((sum, [stack, value]) => (stack.length === 0 ? sum + value : sum), 0n),
      children: [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([first, below]) => build(first, below)),
    };
  };
  return build(
    '',
    [...stacks].map(([stack, value]) => [stack === '' ? [] : stack.split(';'), value]),
  );
}

/** A radix tree over the bytes of folded stacks: cut where keys differ, in the middle of names and of characters. */
export function trieOf(stacks: ReadonlyMap<string, bigint>): Node {
  const build = (entries: [Buffer, bigint][]): Node => {
    let shared = 0;
    const first = entries[0]![0];
    while (entries.every(([key]) => shared < key.length && key[shared] === first[shared])) shared++;
    const below = new Map<number, [Buffer, bigint][]>();
    let value = 0n;
    for (const [key, own] of entries)
      if (key.length === shared) value += own;
      else below.set(key[shared]!, [...(below.get(key[shared]!) ?? []), [key.subarray(shared), own]]);
    return {
      name: Buffer.from(first.subarray(0, shared)),
      value,
      children: [...below].sort(([a], [b]) => a - b).map(([, rest]) => build(rest)),
    };
  };
  const keys = [...stacks].map(([stack, value]): [Buffer, bigint] => [Buffer.from(stack), value]);
  const top = build([[Buffer.alloc(0), 0n], ...keys]);
  return { ...top, name: '' };
}
