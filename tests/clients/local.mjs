// The API as `cargo run` starts it, for the clients that try it.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts it on a free port with further `args`, ends it with the test, and gives its address and that of its DynamoDB. */
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
  if (!found.dynamodb) throw new Error(`${binary} ended without a welcome`);
  // What it goes on to say must have somewhere to go.
  catalog.stdout.resume();
  return found;
}
