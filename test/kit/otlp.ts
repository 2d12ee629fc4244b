// OTLP profiles by hand, after the .proto files and not after src: the real captures, and small requests in any layout.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { corpusDir } from './corpus.ts';
import { bytes, number, text } from './protobuf.ts';

const dir = corpusDir && resolve(corpusDir, 'otlp');
export const noCorpus = dir && existsSync(dir) ? false : 'the shared corpus is not beside the checkout';
export const capture = (name: string): Buffer => readFileSync(resolve(dir!, name));
/** Real requests in the current layout. */
export const CURRENT = [
  'ebpf-k8s-1.v1_10.pb',
  'ebpf-k8s-2.v1_10.pb',
  'ebpf-profile.v1_10.pb',
  'java-async-wall.v1_10.pb',
] as const;

export const STRINGS = ['', 'samples', 'count', 'main', 'host.name', 'böx'];

/** A dictionary with `attributes` rows in its attribute table. */
export const dictionary = (attributes = 1): number[] =>
  bytes(2, [
    ...bytes(1, []),
    ...bytes(2, []),
    ...bytes(3, []),
    ...bytes(4, []),
    ...STRINGS.flatMap(one => text(5, one)),
    ...bytes(6, []),
    ...Array.from({ length: attributes - 1 }, () => bytes(6, [...number(1, 4), ...bytes(2, text(1, 'a'))])).flat(),
    ...bytes(7, []),
    ...bytes(7, bytes(1, [0])),
  ]);

/** Messages behind their lengths, as the Collector's file exporter writes protobuf. */
export const framed = (messages: readonly Uint8Array[]): Buffer =>
  Buffer.concat(
    messages.flatMap(one => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(one.length);
      return [length, one];
    }),
  );

/** A request of one profile whose content is `profile`. */
export const request = (profile: number[], dict: number[] = dictionary(), resource: number[] = []): Buffer =>
  Buffer.from([...bytes(1, [...resource, ...bytes(2, bytes(2, profile))]), ...dict]);
