// The page at /docs, as a person uses it. `SCREENSHOT=FILE` saves a picture.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import axe from 'axe-core';
import { startBrowser } from './browser.mjs';
import { startCatalog } from './local.mjs';

const ECHO = { id: '1001', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' };

const browser = await startBrowser({ after });

/** The page as in a new browser, with its errors and its requests to other origins. */
async function open(test, url, options = {}) {
  // In a context of its own: nothing is cached.
  const page = await browser.newPage({ viewport: { width: 1360, height: 760 }, colorScheme: 'light', ...options });
  test.after(() => page.close());
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(message.text());
  });
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('requestfailed', (request) => wrong.push(`${request.url()}: ${request.failure().errorText}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin && !/^(data|blob):/.test(request.url()))
      wrong.push(request.url());
  });
  await page.goto(url);
  return { page, wrong };
}

/** Sends an operation's request from its form, and returns the response and how the page shows it. */
async function tryIt(page, operation, method, path) {
  await page.getByRole('link', { name: operation }).click();
  await page.getByRole('button', { name: `Test Request (${method} ${path})` }).click();
  const form = page.getByRole('dialog');
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === method.toUpperCase()),
    form.getByRole('button', { name: `Send ${method} request to` }).click(),
  ]);
  await form.getByText(`${response.status()} ${response.statusText()}`).waitFor();
  // biome-ignore lint/performance/useDomNodeTextContent: what is displayed, and not what is in the page
  const shown = await form.innerText();
  await form.getByRole('button', { name: 'Close Client' }).click();
  await form.waitFor({ state: 'hidden' });
  return { status: response.status(), url: response.url(), shown };
}

test('a person who opens the API in a browser can read about it, create a product and find it', async (test) => {
  const { url } = await startCatalog(test);
  const { page, wrong } = await open(test, url);
  await page.getByRole('heading', { name: 'Product catalog' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/docs');
  assert.equal(await page.title(), 'Product catalog');

  const created = await tryIt(page, 'Create a product', 'post', '/product/create');
  assert.deepEqual([created.status, created.url], [201, `${url}/product/create`]);
  const found = await tryIt(page, 'Find a product', 'get', '/product/find/{id}');
  assert.deepEqual([found.status, found.url], [200, `${url}/product/find/1001`]);
  for (const text of Object.values(ECHO)) assert.ok(found.shown.includes(text), `${text} is not in: ${found.shown}`);

  const asked = await fetch(`${url}/product/find/1001`);
  assert.deepEqual(await asked.json(), ECHO);
  assert.deepEqual(wrong, []);
});

test('the link of every problem leads to its explanation', async (test) => {
  const { url } = await startCatalog(test);
  const { page, wrong } = await open(test, url);
  await page.getByRole('button', { name: 'Introduction' }).click();
  await page.getByRole('link', { name: 'Problems' }).click();
  const problem = page.getByRole('listitem').filter({ hasText: 'id-taken (409)' });
  await problem.getByText('Choose another id.').waitFor();
  assert.deepEqual(wrong, []);
});

test('201 is shown before 200, and the price is explained once', async (test) => {
  const { url } = await startCatalog(test);
  const { page, wrong } = await open(test, `${url}/docs/`);
  await page.getByRole('link', { name: 'Create a product' }).click();
  const operation = page.getByRole('region', { name: 'Create a product' });
  const [created, repeated] = ['201', '200'].map((status) => ({
    tab: operation.getByRole('tab', { name: status }),
    line: operation.getByRole('list', { name: 'Responses' }).getByRole('button', { name: status }),
  }));
  await operation.getByRole('tab', { name: '201', selected: true }).waitFor();
  const [first, second] = await Promise.all([created, repeated].map(({ tab }) => tab.boundingBox()));
  assert.ok(first.x < second.x, `201 at ${first.x}, 200 at ${second.x}`);
  const [upper, lower] = await Promise.all([created, repeated].map(({ line }) => line.boundingBox()));
  assert.ok(upper.y < lower.y, `201 at ${upper.y}, 200 at ${lower.y}`);

  const explained = operation.getByText("The price in the catalog's currency");
  assert.equal(await explained.count(), 1);
  // As a number, too.
  await operation.getByRole('button', { name: 'Any of' }).click();
  await page.getByRole('option', { name: 'number' }).click();
  await operation.getByText('as a JSON number').waitFor();
  assert.equal(await explained.count(), 1);
  assert.deepEqual(wrong, []);
});

// axe-core's findings in Scalar's own form for requests (1.76): missing or misplaced names, and references to missing
// elements. If an update fixes one, shorten the list.
const SCALARS = ['aria-input-field-name', 'aria-prohibited-attr', 'aria-required-attr', 'aria-valid-attr-value'];

/** The rules of axe-core that the page breaks and that exclude people. */
async function broken(page) {
  // Scalar's spinner never stops.
  const isStill = () =>
    document
      .getAnimations()
      .filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity)
      .every(({ playState }) => playState !== 'running');
  await page.waitForFunction(isStill);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }));
  const broken = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  return broken.map(({ id }) => id).sort();
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe-core finds nothing serious in our part in ${colorScheme} mode`, async (test) => {
    const { url } = await startCatalog(test);
    const { page } = await open(test, url, { colorScheme });
    await page.getByRole('link', { name: 'Create a product' }).click();
    await page.getByRole('tab', { name: '201', selected: true }).waitFor();
    const responses = page.getByRole('list', { name: 'Responses' }).first();
    for (const status of ['201', '422']) await responses.getByRole('button', { name: status }).click();
    assert.deepEqual(await broken(page), []);

    await page.getByRole('button', { name: 'Test Request (post /product/create)' }).click();
    const form = page.getByRole('dialog');
    await form.getByRole('button', { name: 'Send post request to' }).click();
    await form.getByText('201 Created').waitFor();
    assert.deepEqual(await broken(page), SCALARS);
  });
}

test('without JavaScript, the page says so in English and leads to the contract', async (test) => {
  const { url } = await startCatalog(test);
  for (const path of ['/docs', '/docs/']) {
    const { page, wrong } = await open(test, url + path, { javaScriptEnabled: false });
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    const message = page.locator('noscript');
    assert.equal(await message.isVisible(), true);
    assert.match(await message.textContent(), /The reference needs JavaScript\./);
    // Before the click, because Chromium may request /favicon.ico for the contract, which is not a page and cannot name
    // an icon.
    assert.deepEqual(wrong, []);
    await message.getByRole('link', { name: 'the contract' }).click();
    assert.equal(new URL(page.url()).pathname, '/docs/openapi.json');
  }
});

test('the script is compressed, and not sent again to a browser that has cached it', async (test) => {
  const { url } = await startCatalog(test);
  const ask = (headers) => fetch(`${url}/docs/scalar.js`, { headers });
  const plain = await (await ask({ 'accept-encoding': 'identity' })).text();
  for (const [accepted, coding] of [
    ['gzip, deflate, br', 'gzip'],
    ['br;q=1.0, GZIP;q=0.5', 'gzip'],
    ['gzip;q=0', null],
    ['br', null],
  ]) {
    const response = await ask({ 'accept-encoding': accepted });
    assert.equal(response.headers.get('content-encoding'), coding, accepted);
    assert.equal(response.headers.get('vary'), 'accept-encoding');
    const sent = Number(response.headers.get('content-length'));
    assert.ok(coding ? sent < plain.length / 3 : sent >= plain.length, `${accepted}: ${sent} of ${plain.length} bytes`);
    assert.ok((await response.text()) === plain, `${accepted}: another script`);
  }
  const etag = (await ask({})).headers.get('etag');
  const again = await ask({ 'if-none-match': etag });
  assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, '']);
  assert.equal((await ask({ 'if-none-match': 'W/"another"' })).status, 200);

  // As a browser does it.
  const { page, wrong } = await open(test, url);
  // It is in the contract: the page has loaded everything, and a reload interrupts no request.
  await page.getByRole('heading', { name: 'Product catalog' }).waitFor();
  const statuses = [];
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  session.on('Network.responseReceivedExtraInfo', ({ statusCode }) => statuses.push(statusCode));
  await page.reload();
  await page.getByRole('heading', { name: 'Product catalog' }).waitFor();
  assert.ok(statuses.includes(304), statuses.join());
  assert.deepEqual(wrong, []);
});

test('a picture is saved', { skip: !process.env.SCREENSHOT }, async (test) => {
  const { url } = await startCatalog(test);
  const { page } = await open(test, url);
  await page.getByRole('link', { name: 'Create a product' }).click();
  await page.waitForFunction(() => document.getAnimations().length === 0);
  await page.screenshot({ path: process.env.SCREENSHOT });
});
