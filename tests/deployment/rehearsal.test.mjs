// A rehearsal that fails exits immediately, with the reason, and leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { root } from './workspace.mjs';

/** Starts a rehearsal in a temporary folder; `until` sees its output and may end it. */
async function rehearse(t, { commands = {}, until = () => {} }) {
  const folder = await mkdtemp(path.join(tmpdir(), 'product-catalog-'));
  t.after(() => rm(folder, { recursive: true }));
  const scratch = await mkdtemp(path.join(folder, 'scratch-'));
  for (const [name, line] of Object.entries(commands)) {
    await writeFile(path.join(folder, name), `#!/usr/bin/env bash\n${line}\n`, { mode: 0o755 });
  }
  const rehearsal = spawn(
    path.join(root, '.venv/bin/python'),
    ['tests/rehearsal/rehearse.py', path.join(folder, 'work')],
    {
      cwd: root,
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}`, TMPDIR: scratch },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  rehearsal.stdout.on('data', (text) => {
    stdout += text;
    until(stdout, rehearsal);
  });
  rehearsal.stderr.on('data', (text) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => rehearsal.on('close', resolve));
  return { code, stdout, stderr, left: await readdir(scratch), scratch };
}

/** The processes whose environment contains this text. */
async function processes(text) {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return environments.filter((environment) => environment.includes(text));
}

for (const [moment, step] of [
  ['AWS starts', 'Start AWS'],
  ['stacks are created', 'Tools account'],
  ['a build runs', 'Build what was pushed'],
]) {
  test(`interrupted while ${moment}, it leaves nothing`, async (t) => {
    const until = (output, rehearsal) => output.includes(step) && !rehearsal.killed && rehearsal.kill('SIGINT');
    const { code, stderr, left, scratch } = await rehearse(t, { until });
    assert.equal(stderr, '\nThe rehearsal was interrupted.\n');
    assert.equal(code, 130);
    assert.deepEqual(left, []);
    assert.deepEqual(await processes(scratch), []);
  });
}

test('a failing build deploys nothing, and names its log', async (t) => {
  const { code, stdout, stderr, left } = await rehearse(t, {
    commands: { make: 'echo "error: no network" >&2; exit 2' },
  });
  assert.equal(code, 1);
  assert.match(stderr, /^\nThe rehearsal failed: Build ended with exit code 2: see .*work\/build\.log\n$/);
  assert.match(stdout, /FAILED {2}install {3}make pipeline-tools/);
  assert.doesNotMatch(stdout, /Deploy what was pushed/);
  assert.deepEqual(left, []);
});
