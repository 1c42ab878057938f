// `make postman`: writes openapi.yaml as a Postman collection to dist/postman, with a walk-through, for this machine
// and for a deployment. The walk-through uses the contract's requests with other values, and its schemas. It contains
// no AWS credentials: if requests must be signed, use Postman's authorization tab. walk.mjs adds its own credentials.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import Converter from 'openapi-to-postmanv2';
import { parse } from 'yaml';

const ENVIRONMENTS = {
  local: { baseUrl: 'http://127.0.0.1:3000', id: '1001', apiKey: '' },
  // One product for all walks, so that a catalog does not fill up.
  deployed: { baseUrl: 'https://abc123defg.execute-api.us-east-1.amazonaws.com/DEV', id: 'walk', apiKey: '' },
};

const PRODUCT = { id: '{{id}}', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' };

// In this order. Each asserts the status, the documented headers and body, and `asserts`.
const WALK = [
  {
    name: 'Create a product',
    body: PRODUCT,
    // 200 if the catalog was walked through before.
    status: [201, 200],
    asserts: 'pm.expect(pm.response.json()).to.deep.equal(product);',
  },
  {
    name: 'Create the same again',
    body: PRODUCT,
    status: [200],
    asserts: 'pm.expect(pm.response.json()).to.deep.equal(product);',
  },
  { name: 'Create another under its id', body: { ...PRODUCT, title: 'Another' }, status: [409], problem: 'id-taken' },
  {
    name: 'Find it',
    id: '{{id}}',
    status: [200],
    asserts: `pm.expect(pm.response.json()).to.deep.equal(product);
      pm.collectionVariables.set("etag", pm.response.headers.get("ETag"));`,
  },
  {
    name: 'Find it unchanged',
    id: '{{id}}',
    etag: '{{etag}}',
    status: [304],
    asserts: 'pm.expect(pm.response.text()).to.equal("");',
  },
  { name: 'Find a missing product', id: '{{id}}-missing', status: [404], problem: 'product-not-found' },
  {
    name: 'Create something that is not a product',
    body: { id: '{{id}}', price: '-1' },
    status: [422],
    problem: 'invalid-product',
  },
  { name: 'Create something that is not JSON', raw: '{', status: [400], problem: 'malformed-body' },
];

/** `value` with every reference to an example or a response of the contract resolved, because the converter does not follow these. */
function resolved(contract, value) {
  if (typeof value !== 'object' || value === null) return value;
  const [, kind, name] = value.$ref?.match(/^#\/components\/(examples|headers|responses)\/(\w+)$/) ?? [];
  if (kind) return resolved(contract, contract.components[kind][name]);
  const entries = Object.entries(value).map(([key, value]) => [key, resolved(contract, value)]);
  return Array.isArray(value) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

async function convert(contract) {
  const input = { type: 'json', data: resolved(contract, contract) };
  const options = { folderStrategy: 'Tags', requestParametersResolution: 'Example', enableOptionalParameters: false };
  return new Promise((resolve, reject) =>
    Converter.convert(input, options, (error, { result, reason, output }) =>
      error || !result ? reject(error ?? new Error(reason)) : resolve(output[0].data),
    ),
  );
}

function step(contract, requests, { name, body, raw, id, etag, status, problem, asserts = '' }) {
  const [operation, request] = id
    ? [contract.paths['/product/find/{id}'].get, requests.find]
    : [contract.paths['/product/create'].post, requests.create];
  const made = structuredClone(request);
  if (id) {
    made.url.variable[0].value = id;
    made.header = made.header.filter(({ key }) => key !== 'If-None-Match');
    if (etag) made.header.push({ key: 'If-None-Match', value: etag });
  } else {
    made.body.raw = raw ?? JSON.stringify(body, null, 2);
  }
  const responses = Object.fromEntries(
    status.map((status) => [status, resolved(contract, operation.responses[status])]),
  );
  const promised = Object.fromEntries(
    Object.entries(responses).map(([status, { headers = {}, content = {} }]) => [
      status,
      { headers: Object.keys(headers), mediaType: Object.keys(content)[0], schema: Object.values(content)[0]?.schema },
    ]),
  );
  const type = `urn:problem-type:product-catalog:${problem}`;
  const script = `
    const promised = ${JSON.stringify(promised)}[pm.response.code];
    const product = JSON.parse(pm.variables.replaceIn(${JSON.stringify(JSON.stringify(PRODUCT))}));
    pm.test("responds with ${status.join(' or ')}", () => pm.expect(pm.response.code).to.be.oneOf(${JSON.stringify(status)}));
    pm.test("has the headers and the body of the contract", () => {
      for (const name of promised.headers) pm.response.to.have.header(name);
      if (!promised.schema) return;
      pm.response.to.have.header("Content-Type", promised.mediaType);
      const components = JSON.parse(pm.collectionVariables.get("components"));
      pm.response.to.have.jsonSchema({ ...promised.schema, components });
    });
    pm.test("has the expected content", () => {
      ${problem ? `pm.expect(pm.response.json().type).to.equal(${JSON.stringify(type)});` : asserts}
    });`;
  return { name, request: made, event: [event('test', script)] };
}

function event(listen, script) {
  return { listen, script: { type: 'text/javascript', exec: script.split('\n') } };
}

/** The collection: a folder with the calls of the contract, and one with the walk-through. */
export async function collection() {
  const contract = parse(readFileSync('openapi.yaml', 'utf8'));
  const made = await convert(contract);
  const [create, find] = made.item[0].item.map(({ request }) => request);
  made.item.push({ name: 'walk', item: WALK.map((each) => step(contract, { create, find }, each)) });
  const key = `
    if (pm.variables.get("apiKey")) pm.request.headers.add({ key: "X-Api-Key", value: pm.variables.get("apiKey") });`;
  made.event.push(event('prerequest', key));
  made.variable.push({ key: 'components', value: JSON.stringify({ schemas: contract.components.schemas }) });
  return made;
}

/** The Postman environment for the API called `name`, optionally at another address. */
export function environment(name, baseUrl = ENVIRONMENTS[name].baseUrl) {
  const values = Object.entries({ ...ENVIRONMENTS[name], baseUrl });
  return {
    name,
    values: values.map(([key, value]) => ({ key, value, type: key === 'apiKey' ? 'secret' : 'default' })),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  mkdirSync('dist/postman', { recursive: true });
  const keep = (file, value) => writeFileSync(`dist/postman/${file}.json`, `${JSON.stringify(value, null, 2)}\n`);
  keep('collection', await collection());
  for (const name of Object.keys(ENVIRONMENTS)) keep(name, environment(name));
}
