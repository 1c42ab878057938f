// What was released stays as it is: openapi.yaml against released.yaml, the contract of the last release.
// A release copies the one over the other; so does whoever breaks a promise on purpose, with a line in CHANGELOG.md.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';

const RELEASED = 'tests/clients/released.yaml';

/** The names of the rules by which `revision` breaks what `base` promises. */
function broken(base, revision) {
  const { status, stdout, stderr } = spawnSync(
    'node_modules/.bin/redocly',
    ['diff', base, revision, '--config', 'tools/redocly.yaml', '--format', 'json'],
    { encoding: 'utf8', env: { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
  );
  assert.ok(stdout.startsWith('{'), stderr);
  const { changes } = JSON.parse(stdout);
  const rules = changes.flatMap(({ verdicts }) => verdicts.map(({ ruleId }) => ruleId));
  assert.equal(status, rules.length ? 1 : 0, stderr);
  return rules;
}

test('the contract keeps what was released', () => {
  assert.deepEqual(broken(RELEASED, 'openapi.yaml'), []);
});

const schema = (contract, name) => contract.components.schemas[name];
const find = (contract) => contract.paths['/product/find/{id}'].get;

for (const [change, make, expected] of [
  ['a removed field', (contract) => delete schema(contract, 'Product').properties.price, 'property-removed'],
  ['a removed route', (contract) => delete contract.paths['/product/find/{id}'], 'path-removed'],
  ['a removed answer', (contract) => delete find(contract).responses['304'], 'response-removed'],
  ['a removed header', (contract) => delete find(contract).responses['200'].headers.ETag, 'response-header-removed'],
  [
    'a narrowed type',
    (contract) => (schema(contract, 'NewProduct').properties.price = { type: 'number' }),
    'schema-type-changed',
  ],
  ['a lowered limit', (contract) => (schema(contract, 'ProductId').maxLength = 100), 'schema-constraint-changed'],
  [
    'a field that must be sent',
    (contract) => {
      schema(contract, 'NewProduct').properties.colour = { type: 'string' };
      schema(contract, 'NewProduct').required.push('colour');
    },
    'required-properties-added',
  ],
  [
    'a field that may be missing',
    (contract) => schema(contract, 'Product').required.pop(),
    'required-properties-removed',
  ],
  ['a field that may be sent', (contract) => (schema(contract, 'NewProduct').properties.colour = { type: 'string' })],
  ['a new field of an answer', (contract) => (schema(contract, 'Product').properties.colour = { type: 'string' })],
  ['a new route', (contract) => (contract.paths['/health'] = { get: { responses: { 200: { description: 'Well' } } } })],
]) {
  test(`${change} ${expected ? 'breaks the contract' : 'breaks nothing'}`, (test) => {
    const folder = mkdtempSync(join(tmpdir(), 'contract-'));
    test.after(() => rmSync(folder, { recursive: true }));
    const contract = parse(readFileSync('openapi.yaml', 'utf8'));
    make(contract);
    writeFileSync(join(folder, 'openapi.yaml'), stringify(contract));
    const rules = broken('openapi.yaml', join(folder, 'openapi.yaml'));
    assert.deepEqual([...new Set(rules)], expected ? [expected] : []);
  });
}
