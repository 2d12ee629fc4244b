import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSecretName, redactLine, redactUrl } from '../../../src/config/secrets.ts';

test('headers and keys that hold secrets are known by their names', () => {
  for (const name of [
    'Authorization',
    'proxy-authorization',
    'X-Auth-Token',
    'token',
    'Cookie',
    'Set-Cookie',
    'password',
    'client_secret',
    'X-Api-Key',
  ])
    assert.ok(isSecretName(name), name);
  for (const name of ['token_file', 'username', 'X-Scope-OrgID', 'key', 'endpoint'])
    assert.ok(!isSecretName(name), name);
});
test('the password of a URL is replaced and nothing else', () => {
  assert.equal(redactUrl('http://u:p%40@host:1/x?y=:z@'), 'http://u:[redacted]@host:1/x?y=:z@');
  assert.equal(redactUrl('http://host:4040/a:b@c'), 'http://host:4040/a:b@c');
});
for (const [line, shown] of [
  ['password: abc', 'password: ***'],
  ['  password: "a b", # c', '  password: *****, # c'],
  ["{username: u, password: 'a,b', x: 1}", '{username: u, password: *****, x: 1}'],
  ['{token: abc, endpoint: x}', '{token: ***, endpoint: x}'],
  ['token: a b, c}', 'token: *******'],
  ['headers: {Authorization: Bearer abc, Cookie: d}', 'headers: {Authorization: **********, Cookie: *}'],
  ['password: "${env:P}"', 'password: "${env:P}"'],
  ['{password: "${env:P}", token: abc}', '{password: "${env:P}", token: ***}'],
  ['token_file: /x', 'token_file: /x'],
  ['endpoint: http://u:abc@host', 'endpoint: http://u:***@host'],
  ['exporters.x.auth.bearer.token=abc', 'exporters.x.auth.bearer.token=***'],
  ['bearer: {token: abc', 'bearer: {token: ***'],
  ['password: "unclosed', 'password: *********'],
] as const) {
  test(`the line ${line} is shown as ${shown}`, () => {
    assert.equal(redactLine(line), shown);
    assert.equal(redactLine(line).length, line.length);
  });
}
