// A folder like that of a CodeBuild project: the deployment's files, and fake functions.

import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');
export const account = '222222222222';
export const executionRole = `arn:aws:iam::${account}:role/cf-execution-role-serverless-DEV`;

// By stage: a promise of a workspace that is packaged.
const packages = new Map();

export class Workspace {
  /** Makes an empty one in a temporary folder; `t.after` gets the function that removes it. */
  static async #temporary(t) {
    const workspace = new Workspace();
    workspace.folder = await mkdtemp(path.join(tmpdir(), 'product-catalog-'));
    t.after(() => rmSync(workspace.folder, { recursive: true }));
    return workspace;
  }

  /** Makes one with the deployment's files. In it, `sleep` returns immediately. */
  static async create(t) {
    const workspace = await Workspace.#temporary(t);
    for (const name of ['functions', 'openapi.yaml', 'scripts', 'serverless.yml']) {
      await cp(path.join(root, name), path.join(workspace.folder, name), { recursive: true });
    }
    await symlink(path.join(root, 'node_modules'), path.join(workspace.folder, 'node_modules'));
    await workspace.executable('bin/sleep', '');
    return workspace;
  }

  /** Makes one that is built and packaged for a stage: a copy, because a package takes seconds. */
  static async packaged(t, stage) {
    if (!packages.has(stage)) packages.set(stage, Workspace.#package(stage));
    const original = await packages.get(stage);
    const workspace = await Workspace.#temporary(t);
    await cp(original.folder, workspace.folder, { recursive: true });
    await rm(workspace.path('calls'));
    return workspace;
  }

  static async #package(stage) {
    // Not node:test's own `after`: with a top-level await between two tests, it runs before the second one.
    const workspace = await Workspace.create({ after: (remove) => process.once('exit', remove) });
    const { code, stderr } = await workspace.package(forStage(stage));
    if (code !== 0) throw new Error(stderr);
    return workspace;
  }

  path(...names) {
    return path.join(this.folder, ...names);
  }

  read(...names) {
    return readFile(this.path(...names), 'utf8');
  }

  /** The template of a stage's package. */
  async template(stage) {
    return JSON.parse(await this.read(`dist/package/${stage}/cloudformation-template-update-stack.json`));
  }

  write(name, text) {
    return writeFile(this.path(name), text);
  }

  /** Puts a command, a line of bash, in front of all others of its name. */
  async command(name, line) {
    await this.executable(path.join('bin', name), `echo "${name} $*" >>"${this.path('calls')}"\n${line}`);
  }

  /** Writes a bash script. */
  async executable(file, lines) {
    await mkdir(this.path(path.dirname(file)), { recursive: true });
    await writeFile(this.path(file), `#!/usr/bin/env bash\n${lines}\n`);
    await chmod(this.path(file), 0o755);
  }

  /** Puts a line of bash in place of osls, which would call AWS. */
  async withoutOsls(line = '') {
    await rm(this.path('node_modules'));
    await mkdir(this.path('node_modules/.bin'), { recursive: true });
    await symlink('../../bin/osls', this.path('node_modules/.bin/osls'));
    await this.command('osls', line);
  }

  /** The calls of such commands so far, a line each. */
  async calls() {
    const calls = await this.read('calls').catch(() => '');
    return calls.split('\n').filter(Boolean);
  }

  /** Runs a command with only this environment, and returns its exit code and output. */
  run(command, args, env = {}) {
    const options = {
      cwd: this.folder,
      // osls and its schema are compiled once for all tests.
      env: {
        PATH: `${this.path('bin')}:${process.env.PATH}`,
        HOME: this.folder,
        NODE_COMPILE_CACHE: path.join(root, 'target/node-compile-cache'),
        SLS_SCHEMA_CACHE_BASE_DIR: path.join(root, 'target'),
        ...env,
      },
    };
    return new Promise((resolve) => {
      execFile(command, args, options, (error, stdout, stderr) =>
        resolve({ code: error ? error.code : 0, stdout, stderr }),
      );
    });
  }

  /** Builds with scripts/build.sh, with a fake cargo and objcopy. */
  async build(env) {
    await this.executable('bin/rustc', 'echo sysroot');
    await this.executable(
      'sysroot/lib/rustlib/host/bin/rust-objcopy',
      'case $1 in --dump-section) printf %036d 0 >"${2#*=}" ;; --only-keep-debug) touch "$3" ;; esac',
    );
    await this.command(
      'cargo',
      'for f in functions/*; do f=target/lambda/${f#functions/}; mkdir -p "$f"; echo "$f" >"$f/bootstrap"; done',
    );
    return this.run('scripts/build.sh', [], env);
  }

  /**
   * Packages a stage for each set of parameters, which override its own, and returns the template, or the error.
   * Without parameters, it returns what scripts/package.sh has packaged.
   */
  static async packaging(t, stage) {
    const workspace = await Workspace.packaged(t, stage);
    return async (parameters) => {
      if (Object.keys(parameters).length === 0) return workspace.template(stage);
      const all = Object.entries({ cfnRoleArn: executionRole, ...parameters });
      const { code, stdout, stderr } = await workspace.run(
        'node_modules/.bin/osls',
        ['package', '--stage', stage, '--package', 'dist/package', ...all.flatMap((one) => ['--param', one.join('=')])],
        forStage(stage),
      );
      if (code !== 0) return { rejected: stdout + stderr };
      return JSON.parse(await workspace.read('dist/package/cloudformation-template-update-stack.json'));
    };
  }

  /** Builds, and packages with scripts/package.sh. */
  async package(env) {
    const built = await this.build(env);
    return built.code === 0 ? this.run('scripts/package.sh', [], env) : built;
  }
}

/** Why a plugin of scripts/osls rejects this service. In osls itself, each rejection takes more than a second. */
export function rejection(Plugin, service) {
  const [finish] = Object.values(new Plugin({ service, classes: { Error } }).hooks);
  try {
    finish();
  } catch ({ message }) {
    return message;
  }
  throw new Error(`${Plugin.name} accepts ${JSON.stringify(service)}`);
}

export const forStage = (stage) => ({
  TARGETS: `${stage}=${executionRole}`,
  AWS_REGION: 'eu-west-1',
});
