// The admin page in a real browser.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { chromium, type Page } from 'playwright-core';
import { freePort, Gateway } from '../kit/gateway.ts';
import { numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';
import { missing } from './programs.ts';

/** An error text that would run, were it ever taken for markup. */
const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';

/** The page at this address, and what the browser complains of. */
async function open(t: TestContext, url: string, width = 1200): Promise<{ page: Page; complaints: string[] }> {
  const executablePath = (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, 'chromium'))
    .find(file => existsSync(file))!;
  // As root Chromium has no sandbox; it sees nothing but this page.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width, height: 800 } });
  const complaints: string[] = [];
  page.on('console', message => void (message.type() === 'error' && complaints.push(message.text())));
  page.on('pageerror', error => void complaints.push(error.message));
  await page.goto(url);
  return { page, complaints };
}

/** Resolves once this text stands in the element. */
const shows = (page: Page, selector: string, text: string) =>
  page.locator(selector).filter({ hasText: text }).waitFor();

test('the page shows pipelines, counts, a queue that grows, and errors as text', async t => {
  const why = await missing('chromium');
  if (why) return t.skip(why);
  const [good, bad] = [await new FakeStore().start(), await new FakeStore().start()];
  bad.answer = async () => ({ status: 503, body: HOSTILE });
  const port = await freePort();
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: { resource: { attributes: [{ key: 'region', value: 'eu-1', action: 'upsert' }] } },
    exporters: {
      'pyroscope/good': { endpoint: good.url },
      'pyroscope/bad': { endpoint: bad.url, retry_on_failure: { initial_interval: '100ms', max_interval: '200ms' } },
    },
    service: {
      pipelines: {
        profiles: {
          receivers: ['pyroscope'],
          processors: ['resource'],
          exporters: ['pyroscope/good', 'pyroscope/bad'],
        },
      },
    },
  });
  t.after(() => Promise.all([gateway.kill(), good.stop(), bad.stop()]));
  const push = async () => {
    const url = `http://127.0.0.1:${port}/ingest?name=app&format=pprof`;
    assert.equal((await fetch(url, { method: 'POST', body: new Uint8Array(numbered(1)) })).status, 200);
  };
  const { page, complaints } = await open(t, gateway.admin);
  await shows(page, '#pipelines', 'resource');
  for (const id of ['receiver pyroscope', 'exporter pyroscope/good', 'exporter pyroscope/bad'])
    await shows(page, '#components', id);
  await push();
  await shows(page, '#components', '1 batches');
  for (let n = 0; n < 4; n++) await push();
  await shows(page, '#components', '5 batches');
  await shows(page, '#components', HOSTILE);
  await shows(page, '#summary', 'pyroscope/bad is degraded');
  assert.equal(await page.evaluate(() => (globalThis as { hacked?: number }).hacked), undefined);
  assert.equal(await page.locator('#components img').count(), 0);
  assert.deepEqual(complaints, []);

  await page.setViewportSize({ width: 400, height: 800 });
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  assert.equal(wide, 0, 'pixels that a narrow window would have to scroll sideways');

  assert.equal(await gateway.stop('SIGKILL'), null);
  await shows(page, '#summary', 'does not answer');
});

test('with a token the page asks for it and then shows the same', async t => {
  const why = await missing('chromium');
  if (why) return t.skip(why);
  const port = await freePort();
  const gateway = await Gateway.start({
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters: { debug: {} },
    service: {
      telemetry: { admin: { token: 'open sesame' } },
      pipelines: { profiles: { receivers: ['pyroscope'], exporters: ['debug'] } },
    },
  });
  t.after(() => gateway.kill());
  const { page } = await open(t, gateway.admin);
  await shows(page, '#summary', 'a token is needed');
  await page.fill('#token', 'wrong');
  await page.click('#login button');
  await shows(page, '#summary', 'a token is needed');
  await page.fill('#token', 'open sesame');
  await page.click('#login button');
  await shows(page, '#components', 'exporter debug');
  assert.equal(await page.locator('#login').isVisible(), false);
});
