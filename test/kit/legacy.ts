// Profiles in the forms of before protobuf, written by hand after what their writers print.

/** Words of 4 or 8 bytes in either order. */
export function words(numbers: readonly (number | bigint)[], size: 4 | 8 = 8, isLittle = true): Buffer {
  const bytes = Buffer.alloc(numbers.length * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [at, number] of numbers.entries())
    if (size === 8) view.setBigUint64(at * 8, BigInt(number), isLittle);
    else view.setUint32(at * 4, Number(number), isLittle);
  return bytes;
}

export const MAP = `--- Memory map: ---
  build=/opt/shop
  00400000-00fcb000: $build/server
  7f47a4554000-7f47a4560000 r-xp 00001000 08:01 123 /lib/libc-2.15.so
  7f47a4560000-7f47a4570000 rw-p 00001000 08:01 123 /lib/libc-2.15.so
  7fff63dfe000-7fff63e00000: [vdso]
`;

const javaNames = `
 0x0000003 com.example.Shop.sell (Shop.java:12)
 0x0000004 com.example.Shop.main (Shop.java:-1)
 0x0000005 JVM_Sleep (/opt/jdk/lib/libjvm.so)
 0x0000006 generated stub/JIT
 0x0000007 GC
 0x0000009 com.example.Never.seen (Never.java:1)
`;

/** Five words, stacks, the end. Enough samples of one second frame, so that it is a signal handler. */
export const cpuWords = (isJava: boolean): number[] => [
  ...[0, 3, isJava ? 1 : 0, 10_000, 0],
  ...[2, 3, 0x400100, 0x400200, 0x400300],
  ...[5, 3, 0x400110, 0x400200, 0x400310],
  ...[1, 4, 0x400120, 0x400200, 0x400120, 0x400320],
  ...[0, 1, 0],
];

const text = (said: string) => Buffer.from(said);

/** By name. */
export const legacyVectors: ReadonlyMap<string, Buffer> = new Map([
  [
    'heapz_v2',
    text(
      `heap profile: 2: 96 [ 2: 96] @ heapz_v2/524288\n 1: 32 [1: 32] @ 0x400101 0x400201\n 1: 64 [1: 64] @ 0x400101\n${MAP}`,
    ),
  ],
  [
    'heap_v2 with allocated',
    text(
      `heap profile: 1: 32 [ 9: 999] @ heap_v2/1\n  1: 32 [ 3: 99] @ 0x400101\n  0: 0 [ 6: 900] @ 0x400201 0x400301\n${MAP}`,
    ),
  ],
  [
    'heapprofile',
    text(
      `heap profile:    2:    90 [   2:    90] @ heapprofile\n     1:       30 [     1:       30] @ 0x400101 0x7f47a4554100\n     1:    60 [ 1: 60] @ 0x1 0x2\n\nMAPPED_LIBRARIES:\n00400000-00401000 r-xp 00000000 08:01 9 /opt/a\n00401000-00402000 r-xp 00001000 08:01 9 /opt/a\n`,
    ),
  ],
  [
    'growth',
    text(
      `heap profile:     2:  3145728 [     2:  3145728] @ growthz\n     1:  1048576 [     1:  1048576] @ 0x400101\n     1:  2097152 [     1:  2097152] @ 0x400201 0x400301\n${MAP}`,
    ),
  ],
  [
    'fragmentation',
    text(`heap profile:     1:  50 [     1:  50] @ fragmentationz\n     1:  50 [     1:  50] @ 0x400101\n`),
  ],
  [
    'contention of C++',
    text(
      `--- contentionz 1 ---\ncycles/second = 3201000000\nsampling period = 100\nms since reset = 16502830\ndiscarded samples = 0\n             19490304       27 @ 0x400101 0x400201\n                  768        1 @ 0x400101 0x7f47a4554200\n${MAP}`,
    ),
  ],
  ['contention without a clock', text(`--- contentionz 1 ---\nsampling period = 10\n  5  2 @ 0x400101\n`)],
  ['count', text(`threadcreate profile: total 3\n1 @ 0x400101 0x400201\n2 @ 0x400301\n`)],
  [
    'threads',
    text(
      `--- threadz 1 ---\n\n--- Thread 7f (name: main/1) stack: ---\n  PC:  0x00400101: helper(arg *)\n  0x00400201: main\n--- Thread 80 (name: a/2) stack: ---\n  [same as previous thread]\n--- Thread 81 (name: b/c/3) stack: ---\n  PC: 0x00400301\n      creator: 0x400401 0x400501\n${MAP}`,
    ),
  ],
  [
    'threads without a title',
    text(`--- Thread 7f (name: main/1) stack: ---\n  0x00400101 0x00400201\n---- no stack trace for thread\n${MAP}`),
  ],
  [
    'contention of Java',
    text(
      `--- contentionz 1 ---\nformat = java\nresolution = microseconds\nsampling period = 100\nms since reset = 6019923\n            1     1 @ 0x00000003 0x00000004\n           14     3 @ 0x00000005 0x00000006 0x00000007\n\n${javaNames}`,
    ),
  ],
  [
    'heap of Java',
    text(
      `--- heapz 1 ---\nformat = java\nresolution = bytes\n          7048     9 @ 0x00000003 0x00000004 0x00000008\n       1000000     1 @ 0x00000005\n${javaNames}`,
    ),
  ],
  ['cpu', Buffer.concat([words(cpuWords(false)), text(MAP.split('\n').slice(1).join('\n'))])],
  ['cpu of one stack', words([0, 3, 0, 10_000, 0, 4, 4, 0x10, 0x21, 0x31, 0x41, 0, 1, 0])],
  ['cpu without an end', words([0, 3, 0, 10_000, 0, 4, 1, 0x10, 4, 1, 0x20])],
  ['cpu of Java', Buffer.concat([words([0, 3, 1, 10_000, 0, 2, 2, 3, 4, 1, 3, 5, 6, 8, 0, 1, 0]), text(javaNames)])],
]);

/** As Go writes them with `debug=1`: with names in comments, and labels. */
export const goCount = `goroutine profile: total 4
3 @ 0x46c332 0xa49d06 0xa49ce7
# labels: {"controller":"order \\"bike\\"", "vehicle":"bike"}
#	0xa49d05	internal/sync.(*Mutex).Lock+0x65		internal/sync/mutex.go:70
#	0xa49d05	sync.(*Mutex).Lock+0x46				sync/mutex.go:46
#	0xa49ce6	main.contend.func1+0x45				example.com/demo/main.go:70

1 @ 0xa49ce7
#	0xa49ce6	main.contend.func1+0x45				example.com/demo/main.go:70

`;
export const goHeap = `heap profile: 1: 1024 [3: 4096] @ heap/1048576
1: 1024 [3: 4096] @ 0x48c1f3 0x427865
#	0x48c1f2	main.fill+0x3a7		main.go:64

# runtime.MemStats
# Alloc = 3544544
`;
