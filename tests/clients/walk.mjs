// Walks through an API with the Postman collection, in newman: node tests/clients/walk.mjs URL
// It signs with the AWS credentials in its environment, if there are any.

import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import newman from 'newman';
import { collection, environment } from './postman.mjs';

/** The collection's settings for signing with these credentials, which are in no file and no command. */
function signature({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN = '', AWS_REGION }) {
  if (!AWS_REGION) throw new Error('AWS_REGION must be the region to sign for, but is not set');
  const values = {
    accessKey: AWS_ACCESS_KEY_ID,
    secretKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
    region: AWS_REGION,
    service: 'execute-api',
  };
  return { type: 'awsv4', awsv4: Object.entries(values).map(([key, value]) => ({ key, value, type: 'string' })) };
}

/** The walk's responses and failed assertions. */
export async function walk(url, { change = (made) => made, credentials = {}, name = 'local', ...options } = {}) {
  const made = change(await collection());
  if (credentials.AWS_ACCESS_KEY_ID) made.auth = signature(credentials);
  const run = newman.run({
    collection: made,
    environment: environment(name, url),
    folder: 'walk',
    reporters: [],
    timeoutRequest: 20_000,
    ...options,
  });
  const [error, { run: summary }] = await once(run, 'done');
  if (error) throw error;
  return {
    responses: summary.executions.map(({ item, response }) => `${item.name}: ${response?.code}`),
    asserted: summary.stats.assertions.total,
    failures: summary.failures.map(({ source, error }) => `${source.name}: ${error.test ?? error.message}`),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , url] = process.argv;
  if (!url) {
    console.error('walk.mjs: the address of the API is missing: node tests/clients/walk.mjs URL');
    process.exit(1);
  }
  // A stage that is open to everyone has a low request limit.
  const options = { name: 'deployed', credentials: process.env, reporters: ['cli'], delayRequest: 250 };
  const { failures } = await walk(url, options);
  if (failures.length > 0) process.exitCode = 1;
}
