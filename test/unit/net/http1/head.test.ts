import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeadError, parseRequestHead } from '../../../../src/net/http1/head.ts';

const parse = (...lines: string[]) => parseRequestHead(lines.join('\r\n'));
const get = (...headers: string[]) => parse('GET / HTTP/1.1', 'Host: x', ...headers);

test('a head is method, path, query, headers and how the body comes', () => {
  const head = parse(
    'POST /a/ingest?name=x%7B%7D&y HTTP/1.1',
    'Host: h:1',
    'Content-Length: 12',
    'X-Odd:  spaced \t',
    'Empty:',
  );
  assert.deepEqual(
    [head.method, head.path, head.query, head.length, head.keepAlive, head.expectsContinue],
    ['POST', '/a/ingest', 'name=x%7B%7D&y', 12, true, false],
  );
  assert.deepEqual({ ...head.headers }, { host: 'h:1', 'content-length': '12', 'x-odd': 'spaced', empty: '' });
});

test('targets: absolute URLs lose their host, others stay', () => {
  const target = (text: string) => {
    const { path, query } = parse(`GET ${text} HTTP/1.1`, 'host: x');
    return [path, query];
  };
  assert.deepEqual(target('http://h:1/a?b=c'), ['/a', 'b=c']);
  assert.deepEqual(target('http://h'), ['/', '']);
  assert.deepEqual(target('HTTPS://h?b'), ['/', 'b']);
  assert.deepEqual(target('*'), ['*', '']);
  assert.deepEqual(target('/a?b?c'), ['/a', 'b?c']);
});

test('raw UTF-8 in a target is escaped byte by byte, what is escaped already stays', () => {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const { path, query } = parse(bytes('POST /größe/ingest?name=app{k=prüfung,%C3%BC=€} HTTP/1.1'), 'host: x');
  assert.deepEqual([path, query], ['/gr%C3%B6%C3%9Fe/ingest', 'name=app{k=pr%C3%BCfung,%C3%BC=%E2%82%AC}']);
  assert.equal(new URLSearchParams(query).get('name'), 'app{k=prüfung,ü=€}');
  assert.equal(
    parse('GET /\xff?\x80 HTTP/1.1', 'host: x').query,
    '%80',
    'no UTF-8 either: the bytes stay what they are',
  );
});

test('the connection is kept as version and header say', () => {
  assert.equal(get('Connection: Close').keepAlive, false);
  assert.equal(get('connection: upgrade, close').keepAlive, false);
  assert.equal(get('connection: closed-shop').keepAlive, true);
  assert.equal(parse('GET / HTTP/1.0').keepAlive, false);
  assert.equal(parse('GET / HTTP/1.0', 'Connection: keep-alive').keepAlive, true);
});

test('repeated headers: joined, or the first counts, or refused', () => {
  assert.equal(get('x-a: 1', 'X-A: 2').headers['x-a'], '1, 2');
  assert.equal(get('content-type: a', 'content-type: b').headers['content-type'], 'a');
  assert.equal(get('content-length: 3', 'content-length: 3').length, 3);
  assert.ok(Object.hasOwn(get('__proto__: 1').headers, '__proto__'));
});

/** What two servers in a row may read in two ways, or what nobody should send. */
const REFUSED: [number, string, string[]][] = [
  [400, 'two lengths', ['GET / HTTP/1.1', 'Host: x', 'Content-Length: 3', 'Content-Length: 4']],
  [400, 'a list of lengths', ['GET / HTTP/1.1', 'Host: x', 'Content-Length: 3, 3']],
  [400, 'length and coding', ['POST / HTTP/1.1', 'Host: x', 'Content-Length: 3', 'Transfer-Encoding: chunked']],
  [400, 'a negative length', ['POST / HTTP/1.1', 'Host: x', 'Content-Length: -1']],
  [400, 'a length with a sign', ['POST / HTTP/1.1', 'Host: x', 'Content-Length: +3']],
  [400, 'a hexadecimal length', ['POST / HTTP/1.1', 'Host: x', 'Content-Length: 0x3']],
  [501, 'another coding', ['POST / HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip, chunked']],
  [501, 'chunked twice', ['POST / HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
  [400, 'coding in 1.0', ['POST / HTTP/1.0', 'Transfer-Encoding: chunked']],
  [400, 'a space before the colon', ['GET / HTTP/1.1', 'Host: x', 'Content-Length : 3']],
  [400, 'a folded line', ['GET / HTTP/1.1', 'Host: x', 'X: a', ' b']],
  [400, 'a bare line feed', ['GET / HTTP/1.1', 'Host: x', 'X: a\nTransfer-Encoding: chunked']],
  [400, 'a bare carriage return', ['GET / HTTP/1.1', 'Host: x', 'X: a\rb']],
  [400, 'a zero byte', ['GET / HTTP/1.1', 'Host: x', 'X: a\0']],
  [400, 'no colon', ['GET / HTTP/1.1', 'Host: x', 'nonsense']],
  [400, 'a header without name', ['GET / HTTP/1.1', 'Host: x', ': a']],
  [400, 'no host', ['GET / HTTP/1.1']],
  [400, 'two hosts', ['GET / HTTP/1.1', 'Host: x', 'Host: x']],
  [400, 'no version', ['GET /']],
  [400, 'no target', ['GET HTTP/1.1', 'Host: x']],
  [400, 'a target with a space', ['GET /a b HTTP/1.1', 'Host: x']],
  [400, 'a method that is no token', ['G(T / HTTP/1.1', 'Host: x']],
  [505, 'HTTP/2', ['PRI * HTTP/2.0']],
  [417, 'an unknown expectation', ['POST / HTTP/1.1', 'Host: x', 'Expect: the-moon']],
];
for (const [status, what, lines] of REFUSED)
  test(`${what} is ${status}`, () => {
    assert.throws(
      () => parse(...lines),
      (error: unknown) => error instanceof HeadError && error.status === status,
    );
  });

test('any text gives a head or a HeadError', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'GET',
      'POST',
      ' ',
      '/',
      'HTTP/1.1',
      '\r\n',
      'Host: x',
      ':',
      'Content-Length: ',
      '5',
      '\t',
      '\n',
      '?',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
      const text = pieces.join('');
      try {
        const { headers } = parseRequestHead(text);
        for (const [name, value] of Object.entries(headers)) {
          assert.match(name, /^[!#$%&'*+.^_`|~0-9a-z-]+$/);
          assert.doesNotMatch(value!, /[\0\r\n]/);
        }
      } catch (error) {
        assert.ok(error instanceof HeadError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
