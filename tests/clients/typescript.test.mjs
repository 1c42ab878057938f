// A TypeScript client, generated from openapi.yaml by openapi-typescript.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { startCatalog } from './local.mjs';

/** Compiles typescript.mts against a contract in a temporary folder, and returns the folder and tsc's errors. */
function compile(test, contract) {
  // In this folder, so that openapi-fetch is found.
  mkdirSync('target', { recursive: true });
  const folder = mkdtempSync(join('target', 'typescript-'));
  test.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'openapi.yaml'), stringify(contract));
  copyFileSync('tests/clients/typescript.mts', join(folder, 'client.mts'));
  const run = (tool, ...args) => spawnSync(resolve('node_modules/.bin', tool), args, { cwd: folder, encoding: 'utf8' });
  const generated = run('openapi-typescript', 'openapi.yaml', '--output', 'openapi.mts');
  assert.equal(generated.status, 0, generated.stderr);
  // Not a declaration file, so that the types are also checked.
  const options = ['--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext', '--pretty', 'false'];
  const compiled = run('tsc', ...options, 'client.mts');
  return { folder, errors: compiled.stdout };
}

const contract = () => parse(readFileSync('openapi.yaml', 'utf8'));

test('a TypeScript client creates, replays and finds products, and can narrow each problem', async (test) => {
  const { folder, errors } = compile(test, contract());
  assert.equal(errors, '');
  const { walk } = await import(resolve(folder, 'client.mjs'));
  const { url } = await startCatalog(test);
  assert.deepEqual(await walk(url), [
    [201, null, '89.99'],
    [200, 'true', '89.99'],
    [409, null, 'choose another id'],
    [422, null, '/title must not be empty; /price must be a plain decimal number, zero or more, such as 19.90'],
    [200, { id: '1001', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' }],
    [304, undefined],
    [404, 'check the id'],
  ]);
});

for (const [change, make, expected] of [
  [
    'a problem that it does not know',
    (type) => (type.const = 'urn:problem-type:product-catalog:taken'),
    /is not assignable to type 'never'/,
  ],
  ['a problem whose type is any text', (type) => delete type.const, /Property 'errors' does not exist/],
]) {
  test(`${change} is an error of the compiler`, (test) => {
    const changed = contract();
    make(changed.components.schemas.IdTaken.properties.type);
    assert.match(compile(test, changed).errors, expected);
  });
}
