// The Postman collection, as newman walks through it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import newman from 'newman';
import { startCatalog } from './local.mjs';
import { collection, environment } from './postman.mjs';

/** What was answered on the walk, and which of its assertions failed. */
async function walk(url, { change = (made) => made, envVar = [] } = {}) {
  const run = newman.run({
    collection: change(await collection()),
    environment: environment('local', url),
    envVar,
    folder: 'walk',
    reporters: [],
    timeoutRequest: 20_000,
  });
  const [error, { run: summary }] = await once(run, 'done');
  assert.equal(error, null);
  return {
    answers: summary.executions.map(({ item, response }) => `${item.name}: ${response?.code}`),
    asserted: summary.stats.assertions.total,
    failures: summary.failures.map(({ source, error }) => `${source.name}: ${error.test ?? error.message}`),
  };
}

test('the walk meets what the contract says, and once more in the same catalog', async (test) => {
  const { url } = await startCatalog(test);
  const first = await walk(url);
  assert.deepEqual(first, {
    answers: [
      'Create a product: 201',
      'Create the same again: 200',
      'Create another under its id: 409',
      'Find it: 200',
      'Find it unchanged: 304',
      'Find a missing product: 404',
      'Create something that is not a product: 422',
      'Create something that is not JSON: 400',
    ],
    asserted: 24,
    failures: [],
  });
  const again = await walk(url);
  assert.equal(again.answers[0], 'Create a product: 200');
  assert.deepEqual(again.failures, []);
});

test('a catalog that does not keep the contract fails the walk', async (test) => {
  const { url } = await startCatalog(test);
  // A contract that this catalog does not keep.
  const stricter = (made) => {
    const components = made.variable.find(({ key }) => key === 'components');
    const { schemas } = JSON.parse(components.value);
    schemas.Product.required.push('colour');
    components.value = JSON.stringify({ schemas });
    return made;
  };
  const { failures } = await walk(url, { change: stricter });
  assert.deepEqual(failures, [
    'Create a product: has the headers and the body of the contract',
    'Create the same again: has the headers and the body of the contract',
    'Find it: has the headers and the body of the contract',
  ]);
});

test('an API key is sent with each request, where there is one', async (test) => {
  const keys = [];
  const guarded = createServer((request, response) => {
    keys.push(request.headers['x-api-key']);
    response.writeHead(403).end('{}');
  }).listen(0, '127.0.0.1');
  test.after(() => guarded.close());
  await once(guarded, 'listening');
  const url = `http://127.0.0.1:${guarded.address().port}`;
  const { failures } = await walk(url, { envVar: [{ key: 'apiKey', value: 'a key' }] });
  assert.notEqual(failures.length, 0);
  await walk(url);
  assert.deepEqual(keys, [...Array(8).fill('a key'), ...Array(8).fill(undefined)]);
});

test('the calls of the contract are in the collection with its examples', async () => {
  const [{ item }] = (await collection()).item;
  const [create, find] = item.map(({ request }) => request);
  assert.deepEqual([create.method, create.url.path.join('/')], ['POST', 'product/create']);
  assert.deepEqual(JSON.parse(create.body.raw), {
    id: '1001',
    title: 'Amazon Echo',
    description: 'Smart speaker',
    price: '89.99',
  });
  assert.deepEqual([find.method, find.url.path.join('/')], ['GET', 'product/find/:id']);
  assert.equal(find.url.variable[0].value, '1001');
});
