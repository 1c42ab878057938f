// The API as `cargo run` starts it, for the tests of clients.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts it on a free port with additional `args` until the end of the test; returns its address and its DynamoDB's. */
export async function startCatalog(test, args = []) {
  const binary = `${process.env.CARGO_TARGET_DIR ?? 'target'}/debug/local`;
  const catalog = spawn(binary, ['--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => catalog.once('exit', resolve));
  test.after(async () => {
    catalog.kill('SIGINT');
    await ended;
  });
  const found = {};
  for await (const line of createInterface({ input: catalog.stdout })) {
    found.url ??= line.match(/listens on (\S+) until/)?.[1];
    found.dynamodb ??= line.match(/DynamoDB listens on ([^\s,]+),/)?.[1];
    if (found.dynamodb) break;
  }
  if (!found.dynamodb) throw new Error(`${binary} exited before it was ready`);
  // Keep reading, so that its output does not block.
  catalog.stdout.resume();
  return found;
}
