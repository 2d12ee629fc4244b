import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerError, AnswerReader, ERROR_TEXT } from '../../../../src/net/http1/answer.ts';

/** Feeds the text cut at these places; says what was read. */
function read(text: string, cuts: readonly number[] = []) {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new AnswerReader(ERROR_TEXT);
  const bounds = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let done = false;
  for (let n = 1; n < bounds.length; n++) {
    const piece = Buffer.from(bytes.subarray(bounds[n - 1], bounds[n]));
    if (piece.length > 0) done = reader.feed(piece);
    // Whoever feeds may use its buffer again.
    piece.fill(0xdb);
  }
  const ended = !done && reader.end();
  const { status, headers, reusable, body } = reader;
  return { done: done || ended, status, headers: { ...headers }, reusable, body: body.toString('latin1') };
}

const WHOLE: [string, string, { status: number; body: string; reusable: boolean }][] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', { status: 200, body: 'hello', reusable: true }],
  ['no reason phrase', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', { status: 200, body: '', reusable: true }],
  [
    'chunks, extensions and a trailer',
    'HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n02\r\nlo\r\n0\r\nX: y\r\n\r\n',
    { status: 429, body: 'hello', reusable: true },
  ],
  ['until the end', 'HTTP/1.1 503 No\r\n\r\nhello', { status: 503, body: 'hello', reusable: false }],
  ['no body by status', 'HTTP/1.1 204 No\r\n\r\n', { status: 204, body: '', reusable: true }],
  [
    'close',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx',
    { status: 200, body: 'x', reusable: false },
  ],
  ['1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', { status: 200, body: 'x', reusable: false }],
  [
    'interim answers',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    { status: 200, body: 'ok', reusable: true },
  ],
  [
    'length beside chunks: chunks win, the connection ends',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    { status: 200, body: 'x', reusable: false },
  ],
  [
    'bytes behind the answer end the connection',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200',
    { status: 200, body: 'x', reusable: false },
  ],
];
for (const [what, text, expected] of WHOLE)
  test(`${what}, cut anywhere`, () => {
    const { done, status, body, reusable } = read(text);
    assert.deepEqual({ done, status, body, reusable }, { done: true, ...expected });
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), cuts => {
        const cut = read(text, cuts);
        assert.deepEqual({ done: cut.done, status: cut.status, body: cut.body }, { done: true, status, body });
        assert.ok(reusable || !cut.reusable || what.startsWith('bytes behind'));
      }),
    );
  });

test('one reader reads one answer after the other', () => {
  const reader = new AnswerReader(ERROR_TEXT);
  const one = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.ok(reader.feed(one));
  reader.reset();
  assert.ok(reader.untouched);
  assert.ok(reader.feed(Buffer.from('HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n')));
  assert.deepEqual([reader.status, String(reader.body)], [422, 'bad']);
  reader.reset();
  assert.ok(reader.feed(one));
  assert.deepEqual([reader.status, String(reader.body)], [200, 'ok']);
});

test('a long body is read to its end and kept to its bound', () => {
  const length = ERROR_TEXT.bytes * 3;
  const { done, body, reusable } = read(
    `HTTP/1.1 500 No\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`,
    [70_000],
  );
  assert.deepEqual([done, body.length, reusable], [true, ERROR_TEXT.bytes, true]);
});

test('where an answer must not be longer, it is an error with a code, however it is framed', () => {
  const body = 'x'.repeat(11);
  for (const framed of [
    `Content-Length: 11\r\n\r\n${body}`,
    `Transfer-Encoding: chunked\r\n\r\nb\r\n${body}\r\n0\r\n\r\n`,
  ]) {
    const feed = (bytes: number) =>
      new AnswerReader({ bytes, beyond: 'fail' }).feed(Buffer.from(`HTTP/1.1 200 OK\r\n${framed}`));
    assert.equal(feed(11), true);
    assert.throws(() => feed(10), { code: 'ANSWER_TOO_LARGE' });
  }
});

test('what is no answer is said to be none', () => {
  const bad = [
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.1 099 No\r\n\r\n',
    'HTTP/1.1 101 Switching\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`,
  ];
  for (const text of bad) assert.throws(() => read(text), AnswerError, text.slice(0, 60));
  assert.equal(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell').done, false);
  assert.equal(read('HTTP/1.1 200 OK\r\n').done, false);
});

test('any bytes, cut anywhere, give an answer, none, or an AnswerError', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'HTTP/1.1 200 OK',
      '\r\n',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
      '\r\n\r\n',
      '3',
      'abc',
      '0',
      ': ',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), fc.array(fc.nat(), { maxLength: 5 }), (pieces, cuts) => {
      try {
        read(pieces.join(''), cuts);
      } catch (error) {
        assert.ok(error instanceof AnswerError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
