// newman with the Postman collection.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { startCatalog } from './local.mjs';
import { collection } from './postman.mjs';
import { walk } from './walk.mjs';

test('the walk conforms to the contract, also when repeated in the same catalog', async (test) => {
  const { url } = await startCatalog(test);
  const first = await walk(url);
  assert.deepEqual(first, {
    responses: [
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
  assert.equal(again.responses[0], 'Create a product: 200');
  assert.deepEqual(again.failures, []);
});

test('a catalog that breaks the contract fails the walk', async (test) => {
  const { url } = await startCatalog(test);
  // A contract that this catalog breaks.
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

test('each request has the API key, if there is one', async (test) => {
  const { url, sent } = await guarded(test);
  const { failures } = await walk(url, { envVar: [{ key: 'apiKey', value: 'a key' }] });
  assert.notEqual(failures.length, 0);
  await walk(url);
  const keys = sent.map(({ headers }) => headers['x-api-key']);
  assert.deepEqual(keys, [...Array(8).fill('a key'), ...Array(8).fill(undefined)]);
});

test('each request is signed with the credentials in the environment', async (test) => {
  const { url, sent } = await guarded(test);
  const credentials = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'a secret',
    AWS_SESSION_TOKEN: 'a-token',
    AWS_REGION: 'eu-west-1',
  };
  await walk(url, { credentials });
  assert.equal(sent.length, 8);
  for (const request of sent) {
    assert.equal(request.headers['x-amz-security-token'], 'a-token');
    assert.equal(request.headers.authorization, signed(request, credentials));
  }
  await assert.rejects(
    walk(url, { credentials: { ...credentials, AWS_REGION: undefined } }),
    /^Error: AWS_REGION must/,
  );
  await walk(url);
  assert.ok(sent.slice(8).every(({ headers }) => headers.authorization === undefined));
});

test('as a command, it prints no credentials, and exits with the result of the walk', async (test) => {
  const { url } = await startCatalog(test);
  const run = (at) =>
    spawnSync(process.execPath, ['tests/clients/walk.mjs', at].filter(Boolean), {
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH,
        AWS_ACCESS_KEY_ID: 'canary-key',
        AWS_SECRET_ACCESS_KEY: 'canary-secret',
        AWS_SESSION_TOKEN: 'canary-token',
        AWS_REGION: 'eu-west-1',
      },
    });
  const walked = run(url);
  assert.equal(walked.status, 0, walked.stderr + walked.stdout);
  assert.match(walked.stdout, /Find a missing product/);
  assert.doesNotMatch(walked.stdout + walked.stderr, /canary/);
  assert.match(run().stderr, /the address of the API is missing/);
  assert.equal(run('http://127.0.0.1:1').status, 1);
});

test('the collection contains the calls of the contract with their examples', async () => {
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

/** A server on loopback that rejects and records every request. */
async function guarded(test) {
  const sent = [];
  const server = createServer(async (request, response) => {
    sent.push({ ...pick(request), body: (await request.toArray()).join('') });
    response.writeHead(403).end('{}');
  }).listen(0, '127.0.0.1');
  test.after(() => server.close());
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, sent };
}

const pick = ({ headers, method, url }) => ({ headers, method, url });

/** The Authorization header of AWS Signature Version 4, for the headers that it lists as signed. */
function signed({ body, headers, method, url }, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION }) {
  const [, names] = /SignedHeaders=([^,]+)/.exec(headers.authorization);
  const time = headers['x-amz-date'];
  const scope = `${time.slice(0, 8)}/${AWS_REGION}/execute-api/aws4_request`;
  const hash = (text) => createHash('sha256').update(text).digest('hex');
  const canonical = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  // Percent signs are encoded again.
  const path = url.replaceAll('%', '%25');
  const request = [method, path, '', canonical.join(''), names, hash(body)].join('\n');
  const key = scope
    .split('/')
    .reduce((key, part) => createHmac('sha256', key).update(part).digest(), `AWS4${AWS_SECRET_ACCESS_KEY}`);
  const signature = createHmac('sha256', key)
    .update(['AWS4-HMAC-SHA256', time, scope, hash(request)].join('\n'))
    .digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${AWS_ACCESS_KEY_ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}
