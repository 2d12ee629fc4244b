import type { ColumnsBuilder } from '../../model/columns/builder.ts';
import { takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_IDS } from '../pprof/limits.ts';

/** About what a node costs here, bytes. */
const NODE_BYTES = 120;
const NONE = -1;

const badReference = (message: string) => new DecodeError('bad_reference', message);

/** The call tree of V8. A node is a number from 0 on; its id is what the profile calls it. */
export class Nodes {
  /** By node: the row of its location, 0 for the root. */
  readonly location: number[] = [];
  readonly #parent: number[] = [];
  readonly #numbers = new Map<number, number>();
  readonly #stack: number[] = [];
  /** By node: the next one towards the root that has a location. Made once all nodes are known. */
  #caller: Int32Array | undefined;

  get count(): number {
    return this.location.length;
  }

  /** A new node without a location; its number. @throws DecodeError too_many_elements */
  add(parent = NONE): number {
    if (this.count >= MAX_IDS) throw new DecodeError('too_many_elements', `there are more than ${MAX_IDS} nodes`);
    takeRoom(NODE_BYTES);
    this.location.push(0);
    return this.#parent.push(parent) - 1;
  }

  /** @throws DecodeError bad_reference where another node is called so */
  name(node: number, id: number): void {
    if (this.#numbers.has(id)) throw badReference('two nodes have the same id');
    this.#numbers.set(id, node);
  }

  /** The node that is called so. @throws DecodeError bad_reference */
  at(id: number): number {
    const node = this.#numbers.get(id);
    if (node === undefined) throw badReference('there is no node of this id');
    return node;
  }

  /** @throws DecodeError bad_reference where it has another parent */
  link(parent: number, child: number): void {
    const known = this.#parent[child]!;
    if (known !== NONE && known !== parent) throw badReference('a node has two parents');
    this.#parent[child] = parent;
  }

  /** Every node leads to a root. O(n). @throws DecodeError bad_reference */
  checkNoCycle(): void {
    // Which walk came by: a node of an earlier one leads to a root, one of the same is a cycle.
    const walks = new Uint32Array(this.count);
    for (let from = 0; from < this.count; from++) {
      let node = from;
      for (; node !== NONE && walks[node] === 0; node = this.#parent[node]!) walks[node] = from + 1;
      if (node !== NONE && walks[node] === from + 1) throw badReference('a node is its own parent');
    }
  }

  /** A new sample with the stack of a node; its row. Only after `checkNoCycle`. */
  sample(node: number, builder: ColumnsBuilder, value: bigint): number {
    this.#caller ??= this.#callers();
    const stack = this.#stack;
    let length = 0;
    // Nodes without a location are passed over at once: what is walked here lies in columns then, which are bounded.
    for (let at = this.location[node] === 0 ? this.#caller[node]! : node; at !== NONE; at = this.#caller[at]!)
      stack[length++] = this.location[at]!;
    return builder.sample(stack, length, value);
  }

  /** O(n): each node is walked over once. */
  #callers(): Int32Array {
    const parent = this.#parent;
    const unknown = NONE - 1;
    const caller = new Int32Array(this.count).fill(unknown);
    for (let from = 0; from < this.count; from++) {
      if (caller[from] !== unknown) continue;
      let at = parent[from]!;
      while (at !== NONE && this.location[at] === 0 && caller[at] === unknown) at = parent[at]!;
      const found = at === NONE || this.location[at] !== 0 ? at : caller[at]!;
      for (let on = from; on !== at; on = parent[on]!) caller[on] = found;
    }
    return caller;
  }
}
