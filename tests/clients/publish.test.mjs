// What the pipeline's Test publishes for the clients of a stage.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';

const URL = 'https://abc123defg.execute-api.eu-central-1.amazonaws.com/STAGE';

test('the contract, the reference and the Postman environment have the address of the stage', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'product-catalog-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ['openapi.yaml', 'package.json', 'tests/clients'])
    await cp(name, path.join(folder, name), { recursive: true });
  await symlink(path.resolve('node_modules'), path.join(folder, 'node_modules'));
  const publish = (...args) =>
    promisify(execFile)(process.execPath, ['tests/clients/publish.mjs', ...args], { cwd: folder });
  const read = (name) => readFile(path.join(folder, 'published', name), 'utf8');

  await assert.rejects(publish(), /the address of the API is missing/);
  await publish(URL);
  const { servers, ...contract } = parse(await read('openapi.yaml'));
  assert.deepEqual(servers, [{ url: URL }]);
  const { servers: _, ...ours } = parse(await readFile('openapi.yaml', 'utf8'));
  assert.deepEqual(contract, ours);
  const { values } = JSON.parse(await read('postman-environment.json'));
  assert.equal(values.find(({ key }) => key === 'baseUrl').value, URL);
  assert.ok(JSON.parse(await read('postman-collection.json')).item.some(({ name }) => name === 'walk'));
  const page = await read('reference.html');
  assert.ok(page.includes(URL));
  assert.doesNotMatch(page, /<(script|link|img)[^>]+(src|href)="https?:/);
});
