// The page at /docs, as a person uses it. `SCREENSHOT=FILE` keeps a picture of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBrowser } from './browser.mjs';
import { startCatalog } from './local.mjs';

const ECHO = { id: '1001', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' };

/** The page in a browser of its own, and what went wrong there or was asked for elsewhere. */
async function open(test, url) {
  const browser = await startBrowser(test);
  const page = await browser.newPage({ viewport: { width: 1360, height: 760 }, colorScheme: 'light' });
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(message.text());
  });
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('requestfailed', (request) => wrong.push(`${request.url()}: ${request.failure().errorText}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`) && !/^(data|blob):/.test(request.url())) wrong.push(request.url());
  });
  await page.goto(url);
  return { page, wrong };
}

/** Sends the request of an operation from its form, and gives what was answered and what the page shows of it. */
async function tryIt(page, operation, method, path) {
  await page.getByRole('link', { name: operation }).click();
  await page.getByRole('button', { name: `Test Request (${method} ${path})` }).click();
  const form = page.getByRole('dialog');
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === method.toUpperCase()),
    form.getByRole('button', { name: `Send ${method} request to` }).click(),
  ]);
  await form.getByText(`${answer.status()} ${answer.statusText()}`).waitFor();
  // biome-ignore lint/performance/useDomNodeTextContent: what is displayed, and not what is in the page
  const shown = await form.innerText();
  await form.getByRole('button', { name: 'Close Client' }).click();
  await form.waitFor({ state: 'hidden' });
  return { status: answer.status(), url: answer.url(), shown };
}

test('a person who opens the address of the API reads about it, creates a product and finds it', async (test) => {
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

test('every problem is explained where its name leads', async (test) => {
  const { url } = await startCatalog(test);
  const { page, wrong } = await open(test, url);
  await page.getByRole('button', { name: 'Introduction' }).click();
  await page.getByRole('link', { name: 'Problems' }).click();
  const problem = page.getByRole('listitem').filter({ hasText: 'id-taken (409)' });
  await problem.getByText('Choose another id.').waitFor();
  assert.deepEqual(wrong, []);
});

test('a picture of it is kept', { skip: !process.env.SCREENSHOT }, async (test) => {
  const { url } = await startCatalog(test);
  const { page } = await open(test, url);
  await page.getByRole('link', { name: 'Create a product' }).click();
  await page.waitForFunction(() => document.getAnimations().length === 0);
  await page.screenshot({ path: process.env.SCREENSHOT });
});
