// openapi.yaml must not break clients: a comparison with released.yaml, the contract of the last release.
// Copy openapi.yaml to released.yaml with each release. A change that breaks the contract needs a new major version.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';

const RELEASED = 'tests/clients/released.yaml';

/** The names of the rules that `revision` breaks compared with `base`. */
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

/** Writes a contract that `make` has changed, and removes it at the end of the test. */
function changed(test, contract, make) {
  const folder = mkdtempSync(join(tmpdir(), 'contract-'));
  test.after(() => rmSync(folder, { recursive: true }));
  const made = parse(readFileSync(contract, 'utf8'));
  writeFileSync(join(folder, 'openapi.yaml'), stringify(make(made)));
  return join(folder, 'openapi.yaml');
}

/** A form that redocly can compare: it ignores `oneOf`, and treats a schema in `anyOf` with a new text as a new one. */
function comparable(contract, choice) {
  const compared = (key, value) => {
    if (value?.oneOf) return value.oneOf[choice];
    return key === 'anyOf' ? value.map(({ description, ...schema }) => schema) : value;
  };
  return JSON.parse(JSON.stringify(contract), compared);
}

for (const choice of [0, 1]) {
  test(`the contract does not break the last release, with schema ${choice} of each oneOf`, (test) => {
    const [released, now] = [RELEASED, 'openapi.yaml'].map((contract) =>
      changed(test, contract, (read) => comparable(read, choice)),
    );
    assert.deepEqual(broken(released, now), []);
  });
}

const schema = (contract, name) => contract.components.schemas[name];
const find = (contract) => contract.paths['/product/find/{id}'].get;

for (const [change, make, expected] of [
  ['a removed field', (contract) => delete schema(contract, 'Product').properties.price, 'property-removed'],
  ['a removed route', (contract) => delete contract.paths['/product/find/{id}'], 'path-removed'],
  ['a removed response', (contract) => delete find(contract).responses['304'], 'response-removed'],
  ['a removed header', (contract) => delete find(contract).responses['200'].headers.ETag, 'response-header-removed'],
  [
    'a renamed problem',
    (contract) => (schema(contract, 'IdTaken').properties.type.const = 'urn:problem-type:product-catalog:taken'),
    'schema-constraint-changed',
  ],
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
  ['a new field of a response', (contract) => (schema(contract, 'Product').properties.colour = { type: 'string' })],
  ['a new route', (contract) => (contract.paths['/health'] = { get: { responses: { 200: { description: 'Well' } } } })],
]) {
  test(`${change} ${expected ? 'breaks the contract' : 'breaks nothing'}`, (test) => {
    const revision = changed(test, 'openapi.yaml', (contract) => {
      make(contract);
      return contract;
    });
    const rules = broken('openapi.yaml', revision);
    assert.deepEqual([...new Set(rules)], expected ? [expected] : []);
  });
}
