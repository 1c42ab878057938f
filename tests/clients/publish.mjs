// Writes documents for clients of a deployed API, with its address, to published/: node tests/clients/publish.mjs URL
// They are the contract, the reference as a self-contained page, and a Postman collection with an environment.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { collection, environment } from './postman.mjs';

const [, , url] = process.argv;
if (!URL.canParse(url)) {
  console.error('publish.mjs: the address of the API is missing: node tests/clients/publish.mjs URL');
  process.exit(1);
}
mkdirSync('published', { recursive: true });
const contract = { ...parse(readFileSync('openapi.yaml', 'utf8')), servers: [{ url }] };
writeFileSync('published/openapi.yaml', stringify(contract));
writeFileSync('published/postman-collection.json', JSON.stringify(await collection(), null, 2));
writeFileSync('published/postman-environment.json', JSON.stringify(environment('deployed', url), null, 2));
const options = ['--inlineBundle', '--output', 'published/reference.html'];
execFileSync('node_modules/.bin/redocly', ['build-docs', 'published/openapi.yaml', ...options], {
  env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  stdio: ['ignore', 'ignore', 'inherit'],
});
