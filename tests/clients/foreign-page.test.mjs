// A page of another origin, open in the browser of a developer who runs `cargo run`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { startBrowser } from './browser.mjs';
import { startCatalog } from './local.mjs';

const ECHO = { id: '1001', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' };

/** A front-end: creates the product, finds it twice, and shows each response, or the error of the browser. */
const frontEnd = (api) => `<!doctype html><title>Shop</title><output></output><script type="module">
  const seen = [];
  async function call(path, init) {
    const response = await fetch('${api}' + path, init);
    const exposed = ['location', 'etag', 'idempotent-replayed', 'retry-after', 'x-amzn-requestid'];
    const headers = exposed.filter((name) => response.headers.has(name)).join();
    seen.push([response.status, headers, await response.text()]);
    return response;
  }
  const headers = { 'content-type': 'application/json' };
  const create = (product) => call('/product/create', { method: 'POST', headers, body: JSON.stringify(product) });
  try {
    const created = await create(${JSON.stringify(ECHO)});
    const found = await call(created.headers.get('location'));
    await call('/product/find/1001', { headers: { 'if-none-match': found.headers.get('etag') } });
    await create(${JSON.stringify(ECHO)});
    await call('/product/find/1002');
    await call('/nothing');
  } catch (error) {
    seen.push(error.message);
  }
  document.querySelector('output').value = JSON.stringify(seen);
</script>`;

/** Serves a page on a free port until the end of the test. */
async function servePage(test, page = () => '<p>A page') {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** Calls the embedded DynamoDB as an AWS client does, and returns its response. */
async function callDynamoDb(url, operation, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` },
    body: JSON.stringify(body),
  });
  return response.json();
}

test('a page of another origin can neither create products nor reach the table', async (test) => {
  const { url, dynamodb } = await startCatalog(test);
  const browser = await startBrowser(test);
  const page = await browser.newPage();
  await page.goto(await servePage(test));
  const statuses = [];
  page.on('response', (response) => statuses.push(response.status()));

  const put = { TableName: 'PRODUCT_CATALOG', Item: { id: { S: '1001' } } };
  const attempts = [
    // Requests that a page can send directly, and requests that need a preflight.
    [`${url}/product/create`, 'no-cors', {}, ECHO],
    [`${url}/product/create`, 'cors', { 'content-type': 'application/json' }, ECHO],
    [dynamodb, 'no-cors', {}, put],
    [dynamodb, 'cors', { 'x-amz-target': 'DynamoDB_20120810.PutItem' }, put],
    [dynamodb, 'cors', { 'x-amz-target': 'DynamoDB_20120810.DeleteTable' }, { TableName: 'PRODUCT_CATALOG' }],
    [dynamodb, 'cors', { 'x-amz-target': 'DynamoDB_20120810.Scan' }, { TableName: 'PRODUCT_CATALOG' }],
  ];
  for (const [target, mode, headers, body] of attempts) {
    const read = await page.evaluate(
      ([target, mode, headers, body]) =>
        fetch(target, { method: 'POST', mode, headers, body: JSON.stringify(body) }).then(
          (response) => response.text(),
          () => '',
        ),
      [target, mode, headers, body],
    );
    assert.equal(read, '', `${target} ${mode}`);
  }
  // A form is sent as a navigation, without CORS.
  await page.evaluate((target) => {
    document.body.innerHTML = `<form method="post" enctype="text/plain" action="${target}/product/create"><input name='{"id":"1001","title":"t","price":"1","description":"' value='"}'></form>`;
    document.forms[0].submit();
  }, url);
  await page.waitForURL(`${url}/product/create`);
  assert.match(await page.locator('body').textContent(), /does not respond to web pages of other origins/);
  assert.ok(statuses.length > 0 && statuses.every((status) => status === 403), statuses.join());

  const found = await fetch(`${url}/product/find/1001`);
  assert.equal(found.status, 404);
  const { Count } = await callDynamoDb(dynamodb, 'Scan', { TableName: 'PRODUCT_CATALOG' });
  assert.equal(Count, 0);
});

test('a page whose host name resolves to this machine gets nothing from it', async (test) => {
  const { url, dynamodb } = await startCatalog(test);
  const browser = await startBrowser(test, ['--host-resolver-rules=MAP page.test 127.0.0.1']);
  const page = await browser.newPage();
  for (const target of [`${url}/docs`, dynamodb]) {
    const response = await page.goto(target.replace('127.0.0.1', 'page.test'));
    assert.equal(response.status(), 421);
  }
});

test('a front-end of another origin creates and finds a product only if its origin is allowed', async (test) => {
  let api;
  const origin = await servePage(test, () => frontEnd(api));
  const other = await servePage(test, () => frontEnd(api));
  const [open, closed] = [await startCatalog(test, ['--allow-origin', origin]), await startCatalog(test)];
  const browser = await startBrowser(test);
  const shown = async (catalog, address) => {
    api = catalog.url;
    const page = await browser.newPage();
    await page.goto(address);
    const output = page.locator('output:not(:empty)');
    return JSON.parse(await output.textContent());
  };

  for (const [catalog, address] of [
    [closed, origin],
    [open, other],
  ]) {
    assert.deepEqual(await shown(catalog, address), ['Failed to fetch']);
    assert.equal((await fetch(`${catalog.url}/product/find/1001`)).status, 404);
  }

  const responses = await shown(open, origin);
  assert.deepEqual(
    responses.map(([status, headers]) => [status, headers]),
    [
      [201, 'location,x-amzn-requestid'],
      [200, 'etag,x-amzn-requestid'],
      [304, 'etag,x-amzn-requestid'],
      [200, 'idempotent-replayed,x-amzn-requestid'],
      // From the function, and from API Gateway.
      [404, 'x-amzn-requestid'],
      [404, 'x-amzn-requestid'],
    ],
  );
  const bodies = responses.map(([, , body]) => body && JSON.parse(body));
  assert.deepEqual(bodies.slice(0, 4), [ECHO, ECHO, '', ECHO]);
  assert.deepEqual(
    bodies.slice(4).map(({ type }) => type.split(':').at(-1)),
    ['product-not-found', 'unknown-route'],
  );

  // Only the API is allowed.
  const page = await browser.newPage();
  await page.goto(origin);
  for (const address of [open.dynamodb, `${open.url}/docs`]) {
    const read = await page.evaluate((address) => fetch(address).then((response) => response.text(), String), address);
    assert.equal(read, 'TypeError: Failed to fetch', address);
  }
});
