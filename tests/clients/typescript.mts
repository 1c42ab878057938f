// A caller's code with the types that openapi-typescript generates from openapi.yaml. typescript.test.mjs compiles and
// runs it.

import createClient from 'openapi-fetch';
import type { components, paths } from './openapi.mjs';

const ECHO = { id: '1001', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' };

const create = (client: Client, body: components['schemas']['NewProduct']) => client.POST('/product/create', { body });
const find = (client: Client, id: string, etag?: string) =>
  client.GET('/product/find/{id}', { params: { path: { id }, header: { 'If-None-Match': etag } } });

type Client = ReturnType<typeof createClient<paths>>;
type ProblemOf<Call extends typeof create | typeof find> = NonNullable<Awaited<ReturnType<Call>>['error']>;

/** How to handle a problem. It does not compile if one is missing. */
function advice(problem: ProblemOf<typeof create> | ProblemOf<typeof find>): string {
  switch (problem.type) {
    case 'urn:problem-type:product-catalog:invalid-product':
      return problem.errors.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
    case 'urn:problem-type:product-catalog:id-taken':
      return 'choose another id';
    case 'urn:problem-type:product-catalog:product-not-found':
      return 'check the id';
    case 'urn:problem-type:product-catalog:malformed-body':
    case 'urn:problem-type:product-catalog:malformed-request':
    case 'urn:problem-type:product-catalog:too-large':
    case 'urn:problem-type:product-catalog:unknown-route':
    case 'urn:problem-type:product-catalog:unsupported-media-type':
      return problem.detail ?? problem.title;
    case 'urn:problem-type:product-catalog:forbidden':
      return 'ask for access';
    case 'urn:problem-type:product-catalog:too-many-requests':
    case 'urn:problem-type:product-catalog:unavailable':
      return 'retry later';
    case 'urn:problem-type:product-catalog:internal-error':
      return `report ${problem.requestId}`;
    default: {
      const forgotten: never = problem;
      return forgotten;
    }
  }
}

/** Calls the catalog at `baseUrl`, which must be empty, and returns the result of each call. */
export async function walk(baseUrl: string): Promise<unknown[]> {
  const client = createClient<paths>({ baseUrl });
  const results: unknown[] = [];
  for (const product of [ECHO, ECHO, { ...ECHO, title: 'Another' }, { ...ECHO, title: '', price: -1 }]) {
    const { data, error, response } = await create(client, product);
    const isReplayed = response.headers.get('idempotent-replayed');
    results.push([response.status, isReplayed, data ? data.price : advice(error)]);
  }
  const found = await find(client, ECHO.id);
  results.push([found.response.status, found.data]);
  const unchanged = await find(client, ECHO.id, found.response.headers.get('etag') ?? '');
  results.push([unchanged.response.status, unchanged.data]);
  const missing = await find(client, 'missing');
  results.push([missing.response.status, missing.error && advice(missing.error)]);
  return results;
}
