// Runs the `cargo lambda` commands of README.md.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startCatalog } from './local.mjs';

const README = readFileSync('README.md', 'utf8');
const ECHO = { id: '1001', title: 'Amazon Echo', description: 'Smart speaker', price: '89.99' };
// The lines use cargo-lambda in .venv.
const env = { ...process.env, PATH: `${resolve('.venv/bin')}:${process.env.PATH}` };

/** The only line of README.md that begins like this, with a free port instead of the default one. */
function line(beginning, port) {
  const lines = README.split('\n').filter((line) => line.startsWith(beginning));
  assert.equal(lines.length, 1, beginning);
  return lines[0].replace('--invoke-address', `--invoke-port ${port} --invoke-address`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs the line until the end of the test, and returns once it prints that it is ready. */
async function watch(test, command) {
  const watching = spawn('bash', ['-c', command], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(watching, 'exit');
  let said = '';
  const kill = () => {
    try {
      // Also ends whatever it has started.
      process.kill(-watching.pid, 'SIGKILL');
    } catch (error) {
      assert.equal(error.code, 'ESRCH');
    }
  };
  // If the test itself is ended, too.
  process.once('SIGTERM', () => process.exit(143)).once('exit', kill);
  test.after(async () => {
    process.kill(-watching.pid, 'SIGINT');
    await Promise.race([ended, setTimeout(10_000, undefined, { ref: false })]);
    kill();
  });
  await new Promise((ready, failed) => {
    for (const stream of [watching.stdout, watching.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk;
        if (said.includes('starting Runtime server')) ready();
      });
    }
    ended.then(() => failed(new Error(said)));
  });
}

// This builds both functions.
test('the functions work with `cargo lambda watch` and `cargo lambda invoke`', { timeout: 600_000 }, async (test) => {
  const { url, dynamodb } = await startCatalog(test);
  const port = await freePort();
  await watch(test, line('AWS_ENDPOINT_URL=', port).replace('http://127.0.0.1:PORT', dynamodb));

  const watched = `http://127.0.0.1:${port}`;
  const created = await fetch(`${watched}/product/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ECHO),
  });
  assert.deepEqual([created.status, created.headers.get('location')], [201, '/product/find/1001']);
  const found = await fetch(`${watched}/product/find/1001`);
  assert.deepEqual([found.status, await found.json()], [200, ECHO]);
  // It uses the DynamoDB of `cargo run`.
  assert.equal((await fetch(`${url}/product/find/1001`)).status, 200);

  const invoke = line('cargo lambda invoke', port);
  const invoked = spawnSync('bash', ['-c', invoke], { env, encoding: 'utf8', timeout: 60_000 });
  assert.equal(invoked.status, 0, invoked.stderr);
  const response = JSON.parse(invoked.stdout);
  assert.deepEqual([response.statusCode, response.headers.location], [201, '/DEV/product/find/a%20b%2F1001']);
});
