// The pipeline's scripts, which fail with one line that says why, and leave nothing half-deployed.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { access, cp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { account, executionRole, forStage, root, Workspace } from './workspace.mjs';

const API = 'https://abc.execute-api.eu-west-1.amazonaws.com/DEV';
const functions = (await readdir(path.join(root, 'functions'))).sort();
const stranger = '333333333333';
const deployRole = {
  STAGE: 'DEV',
  TARGET_ACCOUNT_ID: account,
  CROSS_ACCOUNT_ROLE: `arn:aws:iam::${account}:role/cross-account-role-serverless-deployment-DEV`,
  EXTERNAL_ID: 'an-external-id',
};
// What the smoke test creates and finds.
const product = '{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}';

test('packaging rejects wrong variables before it calls osls', async (t) => {
  const form = 'package.sh: TARGETS must have words such as DEV=arn:aws:iam::222222222222:role/name, but has ';
  const none =
    'package.sh: TARGETS must have a word <stage>=<ARN of the execution role> for each stage, but is empty\n';
  const refusals = [
    [{ TARGETS: undefined }, none],
    [{ TARGETS: ' ' }, none],
    ...[`dev=${executionRole}`, executionRole, 'DEV=', `DEV=arn:aws:iam::1234:role/cf`, `TEST=${executionRole}`].map(
      (word) => [{ TARGETS: `PROD=${executionRole} ${word}` }, `${form}'${word}'\n`],
    ),
    [
      { TARGETS: `DEV=${executionRole} PROD=${executionRole} DEV=${executionRole}` },
      'package.sh: TARGETS must have each stage once, but has DEV twice\n',
    ],
    [{ AWS_REGION: undefined }, 'package.sh: AWS_REGION must be the region to deploy to, but is not set\n'],
    [{ ARCHITECTURE: 'arm' }, "package.sh: ARCHITECTURE must be arm64 or x86_64, but is 'arm'\n"],
  ];
  const workspace = await Workspace.create(t);
  await workspace.withoutOsls();
  const refused = async (env, line) => {
    const packaged = await workspace.run('scripts/package.sh', [], defined({ ...forStage('DEV'), ...env }));
    assert.equal(packaged.code, 1);
    assert.equal(packaged.stderr, line);
  };
  await refused({}, `package.sh: there is no dist/${functions[0]}.zip: run scripts/build.sh first\n`);
  await workspace.build({});
  for (const [env, line] of refusals) await refused(env, line);
  assert.doesNotMatch((await workspace.calls()).join('\n'), /osls/);
});

test('building rejects an architecture that Lambda lacks, before it builds', async (t) => {
  const workspace = await Workspace.create(t);
  const built = await workspace.build({ ARCHITECTURE: 'arm' });
  assert.equal(built.code, 1);
  assert.equal(built.stderr, "build.sh: ARCHITECTURE must be arm64 or x86_64, but is 'arm'\n");
  assert.deepEqual(await workspace.calls(), []);
});

test('a build that fails leaves no package, not even an older one', async (t) => {
  const workspace = await Workspace.packaged(t, 'DEV');
  await access(workspace.path('dist/package/DEV/serverless-state.json'));
  await workspace.command('cargo', 'echo "error: could not compile" >&2; exit 101');
  const built = await workspace.run('scripts/build.sh', [], {});
  assert.equal(built.code, 101);
  assert.equal(built.stderr, 'error: could not compile\n');
  await assert.rejects(access(workspace.path('dist/package')));
});

test('each stage has its own package, with the same zips and its own role', async (t) => {
  const workspace = await Workspace.create(t);
  const roles = ['DEV', 'STAGE', 'PROD'].map((stage, i) => [stage, `arn:aws:iam::${String(i + 2).repeat(12)}:role/cf`]);
  const packaged = await workspace.package({ ...forStage(), TARGETS: roles.map((each) => each.join('=')).join(' ') });
  assert.equal(packaged.code, 0, packaged.stderr);
  const states = await Promise.all(roles.map(([stage]) => state(workspace, stage)));
  assert.deepEqual(
    states.map(({ service: { provider } }) => [provider.stage, provider.iam.deploymentRole]),
    roles,
  );
  const [first, ...others] = states.map(hashes);
  // check-release is not versioned.
  assert.equal(first.length, functions.length - 1);
  for (const other of others) assert.deepEqual(other, first);
  const { stdout } = await workspace.run('bash', ['scripts/release.sh']);
  assert.equal(stdout, `${await release(workspace)}\n`);
  assert.ok(packaged.stdout.endsWith(`Release ${stdout}`));
});

test('packaging needs no credentials and makes no call', async (t) => {
  const workspace = await Workspace.create(t);
  // There are no credentials, and nothing listens at AWS's address.
  const packaged = await workspace.package({
    ...forStage('PROD'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
  });
  assert.equal(packaged.code, 0, packaged.stderr);
  assert.deepEqual(await workspace.calls(), [
    `cargo lambda build --release --locked --target aarch64-unknown-linux-gnu.2.34 ${functions.map((name) => `--package=${name}`).join(' ')}`,
  ]);
});

test('deploying and planning reject another stage, another account and a missing package before any call', async (t) => {
  const refusals = [
    [{ STAGE: undefined }, "deploy.sh: STAGE must be DEV, STAGE or PROD, but is ''\n"],
    [{ STAGE: 'STAGE' }, 'deploy.sh: there is no package in dist/package/STAGE: run scripts/package.sh first\n'],
    [{ STAGE: 'PROD' }, 'deploy.sh: the package in dist/ is for stage DEV, not PROD: nothing is deployed\n'],
    [
      { TARGET_ACCOUNT_ID: undefined },
      "deploy.sh: TARGET_ACCOUNT_ID must be the target account's 12 digits, but is ''\n",
    ],
    [
      { TARGET_ACCOUNT_ID: stranger },
      `deploy.sh: CROSS_ACCOUNT_ROLE must be the ARN of a role in account ${stranger}, but is '${deployRole.CROSS_ACCOUNT_ROLE}'\n`,
    ],
    [
      { TARGET_ACCOUNT_ID: stranger, CROSS_ACCOUNT_ROLE: `arn:aws:iam::${stranger}:role/r` },
      `deploy.sh: the package in dist/ is for the account of ${executionRole}, not ${stranger}: nothing is deployed\n`,
    ],
    [
      { CROSS_ACCOUNT_ROLE: undefined },
      `deploy.sh: CROSS_ACCOUNT_ROLE must be the ARN of a role in account ${account}, but is ''\n`,
    ],
    [
      { EXTERNAL_ID: undefined },
      'deploy.sh: EXTERNAL_ID must be the external id of the role in CROSS_ACCOUNT_ROLE, but is not set\n',
    ],
    [
      { RELEASE: '#{Build.RELEASE}' },
      "deploy.sh: RELEASE must be the number of a release, 64 hexadecimal digits, but is '#{Build.RELEASE}'\n",
    ],
  ];
  const without = await Workspace.create(t);
  const missing = await without.run('scripts/deploy.sh', [], deployRole);
  assert.equal(missing.code, 1);
  assert.equal(missing.stderr, 'deploy.sh: there is no package in dist/package/DEV: run scripts/package.sh first\n');

  const workspace = await Workspace.packaged(t, 'DEV');
  await workspace.command('aws', 'exit 1');
  const run = (script, env) => workspace.run(`scripts/${script}`, [], defined({ ...deployRole, ...env }));

  // Where the package of another stage would be.
  await cp(workspace.path('dist/package/DEV'), workspace.path('dist/package/PROD'), { recursive: true });
  for (const [env, line] of refusals) {
    // plan.sh starts in the same way.
    for (const script of ['deploy.sh', 'plan.sh']) {
      const refused = await run(script, env);
      assert.equal(refused.code, 1);
      assert.equal(refused.stderr, line.replace('deploy.sh', script));
    }
  }
  assert.deepEqual(await workspace.calls(), []);
});

/** Deploys this stage's package after a change to what osls trusts, and returns whether AWS was called. */
async function deploysChanged(t, stage) {
  const workspace = await Workspace.packaged(t, stage);
  await workspace.command('aws', 'exit 9');
  await cp(workspace.path('dist'), workspace.path('unchanged'), { recursive: true });
  const file = `dist/package/${stage}/serverless-state.json`;
  return async (change, env = {}) => {
    await rm(workspace.path('dist'), { recursive: true });
    await cp(workspace.path('unchanged'), workspace.path('dist'), { recursive: true });
    const packaged = await state(workspace, stage);
    await change(packaged.service, workspace);
    await workspace.write(file, JSON.stringify(packaged));
    const before = await workspace.calls();
    const deployed = await workspace.run('scripts/deploy.sh', [], { ...deployRole, STAGE: stage, ...env });
    return { ...deployed, called: (await workspace.calls()).length > before.length };
  };
}

test('a package that would make osls upload another file is rejected before anything has credentials', async (t) => {
  const link = async (workspace, name) => {
    await rm(workspace.path(name), { recursive: true, force: true });
    await symlink('/proc/self/environ', workspace.path(name));
  };
  const changes = [
    ['names a file', ({ functions }) => Object.assign(functions.create.package, { artifact: '/proc/self/environ' })],
    ['climbs', ({ functions }) => Object.assign(functions.find.package, { artifact: 'dist/../api-endpoint.txt' })],
    ['names nothing', ({ functions }) => delete functions.find.package],
    ['has a layer', (service) => Object.assign(service, { layers: { all: { package: { artifact: '.npmrc' } } } })],
    ['has an artifact for all', (service) => Object.assign(service, { package: { artifact: 'package.json' } })],
    ['has a link for a zip', (_, workspace) => link(workspace, 'dist/create-product.zip')],
    ['has a link beside the package', (_, workspace) => link(workspace, 'dist/package/DEV/a-link')],
    ['is for a host that is no region', ({ provider }) => Object.assign(provider, { region: 'x.example.com/' })],
    ['is of a strange service', (service) => Object.assign(service, { service: '--endpoint-url' })],
  ];
  const deploy = await deploysChanged(t, 'DEV');
  for (const [name, change] of changes) {
    const { code, stderr, called } = await deploy(change);
    assert.equal(code, 1, name);
    assert.match(stderr, /^deploy\.sh: the package in dist\/ .*: nothing is deployed\n$/, name);
    assert.equal(called, false, name);
  }
  const unchanged = await deploy(() => {});
  assert.deepEqual([unchanged.code, unchanged.called], [9, true]);
});

test('zips that do not belong to the package are rejected before anything has credentials', async (t) => {
  const deploy = await deploysChanged(t, 'DEV');
  const zip = 'dist/find-product.zip';
  const overwritten = (_, workspace) => workspace.write(zip, 'of another build');
  const version = ({ provider }) =>
    Object.entries(provider.compiledCloudFormationTemplate.Resources).find(
      ([id, { Type }]) => Type === 'AWS::Lambda::Version' && id.startsWith('Find'),
    );
  const resourcesOf = ({ provider }) => provider.compiledCloudFormationTemplate.Resources;
  const changes = [
    [overwritten, /has dist\/find-product\.zip with the hash .{44}, packaged as .{44}/],
    [(service) => Object.assign(version(service)[1].Properties, { CodeSha256: 'x' }), /, packaged as x/],
    [(service) => delete version(service)[1].Properties.CodeSha256, /, packaged as undefined/],
    [(service) => delete resourcesOf(service)[version(service)[0]], /has 0 versions of find/],
    [(service) => (resourcesOf(service).Another = version(service)[1]), /has 2 versions of find/],
    // find is part of the API, so it cannot opt out.
    [
      (service) => {
        service.functions.find.versionFunction = false;
        delete resourcesOf(service)[version(service)[0]];
      },
      /has 0 versions of find/,
    ],
  ];
  for (const [change, reason] of changes) {
    const { code, stderr, called } = await deploy(change);
    assert.match(stderr, /^deploy\.sh: the package in dist\/ .*: nothing is deployed\n$/);
    assert.match(stderr, reason);
    assert.deepEqual([code, called], [1, false]);
  }
  // A function outside the API without versions. The release number covers its zip.
  const check = (content) => async (service, workspace) => {
    const { events, ...find } = service.functions.find;
    service.functions.check = { ...find, name: 'check', events: [], versionFunction: false };
    service.functions.check.package = { artifact: 'dist/check-release.zip' };
    await workspace.write('dist/check-release.zip', content);
    RELEASE ??= await release(workspace);
  };
  let RELEASE;
  assert.equal((await deploy(check('a release'))).called, true);
  assert.equal((await deploy(check('a release'), { RELEASE })).called, true);
  const other = await deploy(check('another'), { RELEASE });
  assert.ok(other.stderr.includes(`, not ${RELEASE}: nothing is deployed`), other.stderr);
  assert.match(other.stderr, /has the zips of release [0-9a-f]{64}, not/);
  assert.deepEqual([other.code, other.called], [1, false]);
});

const tableOf = ({ provider }) => provider.compiledCloudFormationTemplate.Resources.ProductCatalogDynamoDBTable;
const weaker = {
  DeletionPolicy: [(table) => Object.assign(table, { DeletionPolicy: 'RetainExceptOnCreate' }), 'DeletionPolicy'],
  'no DeletionPolicy': [(table) => delete table.DeletionPolicy, 'DeletionPolicy'],
  UpdateReplacePolicy: [(table) => Object.assign(table, { UpdateReplacePolicy: 'Delete' }), 'UpdateReplacePolicy'],
  protection: [({ Properties }) => delete Properties.DeletionProtectionEnabled, 'DeletionProtectionEnabled'],
  'protection off': [
    ({ Properties }) => Object.assign(Properties, { DeletionProtectionEnabled: false }),
    'DeletionProtectionEnabled',
  ],
  recovery: [({ Properties }) => delete Properties.PointInTimeRecoverySpecification, 'PointInTimeRecoveryEnabled'],
  'recovery off': [
    ({ Properties }) =>
      Object.assign(Properties.PointInTimeRecoverySpecification, { PointInTimeRecoveryEnabled: false }),
    'PointInTimeRecoveryEnabled',
  ],
  'another type': [(table) => Object.assign(table, { Type: 'AWS::DynamoDB::GlobalTable' }), 'Type'],
};
test('the table of DEV need not be protected', async (t) => {
  const deploy = await deploysChanged(t, 'DEV');
  for (const [weaken] of Object.values(weaker)) {
    assert.equal((await deploy((service) => weaken(tableOf(service)))).called, true);
  }
});

for (const stage of ['STAGE', 'PROD']) {
  test(`a package for ${stage} whose table could be lost is rejected`, async (t) => {
    const deploy = await deploysChanged(t, stage);
    for (const [name, [weaken, setting]] of Object.entries(weaker)) {
      const refused = await deploy((service) => weaken(tableOf(service)));
      const reason = `the package in dist/ has a table whose ${setting} is `;
      assert.ok(refused.stderr.startsWith(`deploy.sh: ${reason}`), `${name}: ${refused.stderr}`);
      assert.ok(refused.stderr.includes(`: ${stage} requires `) && refused.stderr.endsWith(': nothing is deployed\n'));
      assert.deepEqual([refused.code, refused.called], [1, false], name);
    }
    const without = await deploy(({ provider }) => {
      delete provider.compiledCloudFormationTemplate.Resources.ProductCatalogDynamoDBTable;
    });
    assert.match(without.stderr, /the package in dist\/ has 0 tables/);
    assert.equal((await deploy(() => {})).called, true);
  });
}

test('the deployment fails if the role cannot be assumed', async (t) => {
  const workspace = await Workspace.packaged(t, 'DEV');
  await workspace.command(
    'aws',
    'echo "An error occurred (AccessDenied) when calling the AssumeRole operation" >&2; exit 254',
  );
  const deployed = await workspace.run('scripts/deploy.sh', [], deployRole);
  assert.equal(deployed.code, 254);
  assert.match(deployed.stderr, /AccessDenied/);
  const [assume, ...more] = await workspace.calls();
  assert.match(assume, /^aws sts assume-role .*--external-id an-external-id/);
  assert.deepEqual(more, []);
});

test('the credentials of the target account are never printed', async (t) => {
  const workspace = await Workspace.packaged(t, 'DEV');
  await workspace.command(
    'aws',
    `case $1 in
    sts) printf 'canary-key\\tcanary-secret\\tcanary-token\\n' ;;
    cloudformation) [[ $AWS_SECRET_ACCESS_KEY == canary-secret ]] && echo ${API} ;;
  esac`,
  );
  await workspace.withoutOsls('[[ $AWS_SESSION_TOKEN == canary-token ]]');
  const deployed = await workspace.run('scripts/deploy.sh', [], deployRole);
  assert.equal(deployed.code, 0, deployed.stderr);
  assert.equal(await workspace.read('api-endpoint.txt'), `${API}\n`);
  assert.equal(await workspace.read('requires-key.txt'), 'false\n');
  assert.ok(
    deployed.stdout.startsWith(`Release ${await release(workspace)}\nAssuming ${deployRole.CROSS_ACCOUNT_ROLE}\n`),
  );
  // The action Test runs it.
  assert.ok((await workspace.calls()).every((call) => !call.startsWith('curl')));
  assert.ok(deployed.stdout.includes(`The API is at ${API}\n`));
  assert.doesNotMatch(deployed.stdout + deployed.stderr + (await workspace.calls()).join('\n'), /canary/);
});

test('the API key is read if a function requires it, and never printed', async (t) => {
  const workspace = await Workspace.create(t);
  const stack = await workspace.read('serverless.yml');
  await workspace.write('serverless.yml', stack.replace('findAuthorization: NONE', 'findAuthorization: API_KEY'));
  assert.equal((await workspace.package(forStage('DEV'))).code, 0);
  await workspace.command(
    'aws',
    `case "$1 $2" in
    sts*) printf 'a\\tb\\tc\\n' ;;
    'cloudformation describe-stack-resource') echo key-id ;;
    cloudformation*) echo ${API} ;;
    'apigateway get-api-key') [[ $4 == key-id ]] && echo canary-key ;;
  esac`,
  );
  await workspace.withoutOsls();
  await workspace.command('curl', curl(`*'header = "X-Api-Key: canary-key"'*`));
  const deployed = await workspace.run('scripts/deploy.sh', [], deployRole);
  assert.equal(deployed.code, 0, deployed.stderr);
  assert.equal(await workspace.read('requires-key.txt'), 'true\n');
  assert.match(deployed.stdout, /Created a product and found it/);
  assert.doesNotMatch(deployed.stdout + deployed.stderr + (await workspace.calls()).join('\n'), /canary/);
});

const testRole = {
  ...deployRole,
  CROSS_ACCOUNT_ROLE: `arn:aws:iam::${account}:role/product-catalog-service-DEV-test`,
  ENDPOINT: API,
  AWS_REGION: 'eu-west-1',
};

test('testing rejects a wrong or missing variable before any call', async (t) => {
  const refusals = [
    [{ STAGE: 'dev' }, "STAGE must be DEV, STAGE or PROD, but is 'dev'"],
    [{ TARGET_ACCOUNT_ID: undefined }, "TARGET_ACCOUNT_ID must be the target account's 12 digits, but is ''"],
    [
      { TARGET_ACCOUNT_ID: stranger },
      `CROSS_ACCOUNT_ROLE must be the ARN of a role in account ${stranger}, but is '${testRole.CROSS_ACCOUNT_ROLE}'`,
    ],
    [{ EXTERNAL_ID: '' }, 'EXTERNAL_ID must be the external id of the role in CROSS_ACCOUNT_ROLE, but is not set'],
    [{ RELEASE: '1' }, "RELEASE must be the number of a release, 64 hexadecimal digits, but is '1'"],
    [{ ENDPOINT: undefined }, "ENDPOINT must be the address of the API, https://..., but is ''"],
    [{ ENDPOINT: 'none' }, "ENDPOINT must be the address of the API, https://..., but is 'none'"],
    [{ AWS_REGION: undefined }, 'AWS_REGION must be the region of the API, but is not set'],
    [{ REQUIRES_KEY: 'none' }, "REQUIRES_KEY must be true or false, but is 'none'"],
  ];
  const workspace = await Workspace.create(t);
  for (const command of ['aws', 'curl', 'make', 'node']) await workspace.command(command, 'exit 1');
  for (const [env, line] of refusals) {
    const { code, stderr } = await workspace.run('scripts/test-stage.sh', [], defined({ ...testRole, ...env }));
    assert.deepEqual([code, stderr], [1, `test-stage.sh: ${line}\n`]);
  }
  assert.deepEqual(await workspace.calls(), []);
});

test('each stage runs its tests, with a role that is assumed after everything is built', async (t) => {
  const expected = {
    DEV: ['aws', 'curl POST', 'curl GET', 'node walk'],
    STAGE: ['make build', 'aws', 'curl POST', 'curl GET', 'node walk', 'make test-deployed'],
    PROD: ['aws', 'curl GET'],
  };
  const number = '0f'.repeat(32);
  for (const [stage, steps] of Object.entries(expected)) {
    const workspace = await Workspace.create(t);
    await workspace.command('aws', "printf 'canary-key\\tcanary-secret\\tcanary-token\\n'");
    const signs = '[[ $AWS_SESSION_TOKEN == canary-token && $AWS_REGION == eu-west-1 ]]';
    await workspace.command('make', `[[ $1 == build ]] && [[ -z $AWS_ACCESS_KEY_ID ]] || ${signs}`);
    await workspace.command('node', signs);
    await workspace.command('curl', curl('*canary-secret*canary-token*'));
    const tested = await workspace.run('scripts/test-stage.sh', [], { ...testRole, STAGE: stage, RELEASE: number });
    assert.equal(tested.code, 0, tested.stderr);
    assert.ok(tested.stdout.startsWith(`Release ${number}\n`));
    const calls = await workspace.calls();
    assert.doesNotMatch(tested.stdout + tested.stderr + calls.join('\n'), /canary/);
    const short = (call) => {
      if (call.startsWith('curl')) return call.includes('--json') ? 'curl POST' : 'curl GET';
      if (call === `node tests/clients/walk.mjs ${API}`) return 'node walk';
      if (call === `make test-deployed CATALOG_URL=${API}`) return 'make test-deployed';
      return call.startsWith('aws sts assume-role') ? 'aws' : call;
    };
    assert.deepEqual(calls.map(short), steps, stage);
  }
});

test('a failing test fails the stage', async (t) => {
  for (const failing of ['aws', 'curl', 'node', 'make']) {
    const workspace = await Workspace.create(t);
    await workspace.command('aws', "printf 'a\\tb\\tc\\n'");
    await workspace.command('make', '');
    await workspace.command('node', '');
    // A status that the smoke test does not retry.
    await workspace.command('curl', curl('*'));
    await workspace.command(failing, failing === 'curl' ? 'echo 400' : 'exit 7');
    const { code } = await workspace.run('scripts/test-stage.sh', [], { ...testRole, STAGE: 'STAGE' });
    assert.notEqual(code, 0, failing);
  }
});

test('an API that requires a key is not tested with a role that cannot read it, and the log says so', async (t) => {
  const workspace = await Workspace.create(t);
  await workspace.command('aws', 'exit 1');
  const tested = await workspace.run('scripts/test-stage.sh', [], { ...testRole, REQUIRES_KEY: 'true' });
  assert.equal(tested.code, 0, tested.stderr);
  assert.match(tested.stdout, /Only the smoke test of scripts\/deploy\.sh has tested the API/);
  assert.deepEqual(await workspace.calls(), []);
});

test('an address without a DNS record is not tested, so that the first deployment is not rolled back', async (t) => {
  const workspace = await Workspace.create(t);
  await workspace.command('aws', 'exit 1');
  const test = (ENDPOINT) => workspace.run('scripts/test-stage.sh', [], { ...testRole, ENDPOINT });
  const tested = await test('https://catalog.invalid');
  assert.equal(tested.code, 0, tested.stderr);
  assert.match(tested.stdout, /^catalog\.invalid has no DNS record.*RegionalDomainName/ms);
  assert.deepEqual(await workspace.calls(), []);
  // API Gateway's own host names are tested even before they resolve everywhere, and so is an address with a record.
  for (const address of ['https://abc.execute-api.eu-central-1.invalid/DEV', 'https://localhost'])
    assert.notEqual((await test(address)).code, 0, address);
});

test('the smoke test uses the credentials and the key in its environment', async (t) => {
  const sent = [];
  const { url } = await api(t, (request, body, kept) => {
    sent.push(request.headers);
    return keeps(request, body, kept);
  });
  const credentials = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'a secret',
    AWS_SESSION_TOKEN: 'a token',
    AWS_REGION: 'eu-west-1',
  };
  for (const env of [{}, credentials, { API_KEY: 'a key' }]) {
    const tried = await smokeTest(t, url, env);
    assert.equal(tried.code, 0, tried.stderr);
  }
  const signature =
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api\/aws4_request, .*Signature=[0-9a-f]{64}$/;
  const [open, , signed, , keyed] = sent;
  assert.equal(sent.length, 6);
  assert.deepEqual([open.authorization, open['x-api-key']], [undefined, undefined]);
  assert.match(signed.authorization, signature);
  assert.equal(signed['x-amz-security-token'], 'a token');
  assert.deepEqual([keyed.authorization, keyed['x-api-key']], [undefined, 'a key']);
});

test('the smoke test passes for an API that stores its product', async (t) => {
  const { url } = await api(t, keeps);
  const tried = await smokeTest(t, url);
  assert.equal(tried.code, 0, tried.stderr);
  assert.equal(tried.stdout, `Created a product and found it: ${url}/product/find/smoke-test\n`);
});

test('the smoke test passes for a new API whose first responses are not from its functions', async (t) => {
  await Promise.all(
    [403, 404, 429, 503].map(async (first) => {
      const strange = [first, '{"message":"Forbidden"}'];
      const calls = { POST: 0, GET: 0 };
      const { url } = await api(t, (request, body, kept) =>
        calls[request.method]++ === 0 ? strange : keeps(request, body, kept),
      );
      const tried = await smokeTest(t, url);
      assert.equal(tried.code, 0, tried.stderr);
      assert.deepEqual(calls, { POST: 2, GET: 2 });
    }),
  );
});

test('the smoke test passes if another product has its id, and fails if that product is not found', async (t) => {
  const another = '{"id":"smoke-test","title":"Another","description":"","price":"1.00"}';
  const taken = (found) => (request) =>
    request.method === 'POST' ? [409, '{"title":"The id is taken","status":409}'] : found;
  const { url } = await api(t, taken([200, another]));
  const passed = await smokeTest(t, url);
  assert.equal(passed.code, 0, passed.stderr);
  const { url: other } = await api(t, taken([200, '{"id":"1001"}']));
  const failed = await smokeTest(t, other);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^smoke-test\.sh: GET http.* should return \{"id":"smoke-test",\*\}, but returned 200: /);
});

test('with --find-first, the smoke test creates the product only if it is missing', async (t) => {
  const calls = [];
  const missing = [404, '{"type":"urn:problem-type:product-catalog:product-not-found","status":404}'];
  const { url } = await api(t, (request, body, kept) => {
    calls.push(request.method);
    return request.method === 'GET' && !kept.product ? missing : keeps(request, body, kept);
  });
  const first = await smokeTest(t, '--find-first', url);
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stdout, `Created a product and found it: ${url}/product/find/smoke-test\n`);
  assert.deepEqual(calls.splice(0), ['GET', 'POST', 'GET']);
  const again = await smokeTest(t, '--find-first', url);
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stdout, `Found a product: ${url}/product/find/smoke-test\n`);
  assert.deepEqual(calls, ['GET']);
  for (const strange of [
    [200, '{"id":"1001"}'],
    [404, '{"title":"Unknown route"}'],
  ]) {
    const { url: other } = await api(t, () => strange);
    const failed = await smokeTest(t, '--find-first', other);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /GET http.* should return \{"id":"smoke-test",\*\}, but returned (200|404): /);
  }
});

test('the smoke test fails for an API that loses, changes or rejects its product', async (t) => {
  const broken = {
    loses: (request, body) => (request.method === 'POST' ? [201, body] : [404, '{"title":"No product has this id"}']),
    changes: (request, body) => (request.method === 'POST' ? [201, body] : [200, '{"id":"smoke-test"}']),
    refuses: () => [500, '{"title":"Internal error"}'],
  };
  await Promise.all(
    Object.values(broken).map(async (respond) => {
      const { url } = await api(t, respond);
      const tried = await smokeTest(t, url);
      assert.equal(tried.code, 1);
      assert.match(
        tried.stderr,
        /smoke-test\.sh: (GET|POST) http.* should return \{"id":"smoke-test",.*\}, but returned (404|200|500): \{/,
      );
      assert.equal(tried.stdout, '');
    }),
  );
});

/** Runs a buildspec's commands in one shell, as CodeBuild does, and returns the exported variables. */
async function exported(workspace, buildspec, env) {
  const text = await readFile(path.join(root, buildspec), 'utf8');
  const { env: settings, phases } = parse(text);
  const commands = Object.values(phases).flatMap((phase) => phase.commands);
  const codebuild = { CODEBUILD_LOG_PATH: 'a-log', CODEBUILD_SRC_DIR_Package: workspace.path('package') };
  const variables = { ...settings.variables, ...env, ...codebuild };
  const print = settings['exported-variables'].map((name) => `printenv ${name}`);
  const done = await workspace.run('bash', ['-ec', [...commands, 'echo ---', ...print].join('\n')], variables);
  assert.equal(done.code, 0, done.stderr);
  const values = done.stdout.split('---\n')[1].trimEnd().split('\n');
  return Object.fromEntries(settings['exported-variables'].map((name, i) => [name, values[i]]));
}

test('CodePipeline gets the values from the scripts', async (t) => {
  const workspace = await Workspace.create(t);
  for (const command of ['make', 'npm']) await workspace.command(command, '');
  await workspace.build({});
  await workspace.write('scripts/build.sh', '');
  const { RELEASE } = await exported(workspace, 'buildspec.yml', forStage('DEV'));
  assert.equal(RELEASE, await release(workspace));

  await workspace.run('bash', ['-c', 'mkdir package && mv dist package']);
  await workspace.write('scripts/deploy.sh', `echo ${API} >api-endpoint.txt; echo false >requires-key.txt`);
  const deployed = await exported(workspace, 'buildspec-deploy.yml', {});
  assert.deepEqual(deployed, {
    ENDPOINT: API,
    REQUIRES_KEY: 'false',
    CHANGES: 'none',
    CODEBUILD_LOG_PATH: 'a-log',
  });
  await workspace.run('rm', ['api-endpoint.txt', 'requires-key.txt']);
  await workspace.write('scripts/plan.sh', "echo 'changes CreateLambdaFunction; adds 1' >changes.txt");
  const planned = await exported(workspace, 'buildspec-deploy.yml', { COMMAND: 'plan' });
  assert.deepEqual(planned, {
    ENDPOINT: 'none',
    REQUIRES_KEY: 'none',
    CHANGES: 'changes CreateLambdaFunction; adds 1',
    CODEBUILD_LOG_PATH: 'a-log',
  });
});

/** A curl whose response satisfies the smoke test if its standard input is this. */
const curl = (input) => `while (($#)); do [[ $1 != --output ]] || output=$2; shift; done
  [[ $(cat) == ${input} ]] && printf '%s' '${product}' >"$output" && echo 200`;

const defined = (env) => Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));

/** Stores the product of a POST, and responds to each request with it. */
function keeps({ method }, body, kept) {
  if (method === 'POST') kept.product = body;
  return [method === 'POST' ? 201 : 200, kept.product];
}

async function smokeTest(t, ...args) {
  const workspace = await Workspace.create(t);
  const env = typeof args.at(-1) === 'object' ? args.pop() : {};
  return workspace.run('scripts/smoke-test.sh', args, env);
}

const state = async (workspace, stage) =>
  JSON.parse(await workspace.read('dist/package', stage, 'serverless-state.json'));

/** The hash of each function's code, in a package's format. */
const hashes = ({ service }) =>
  Object.values(service.provider.compiledCloudFormationTemplate.Resources)
    .filter(({ Type }) => Type === 'AWS::Lambda::Version')
    .map(({ Properties }) => Properties.CodeSha256);

/** The release number, as scripts/release.sh defines it. */
async function release(workspace) {
  const zips = (await readdir(workspace.path('dist'))).filter((name) => name.endsWith('.zip')).sort();
  const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
  const lines = zips.map(async (name) => `${hash(await readFile(workspace.path('dist', name)))}  dist/${name}\n`);
  return hash((await Promise.all(lines)).join(''));
}

/** An API on loopback whose responses are `respond(request, body, kept)`: a status and a body. */
async function api(t, respond) {
  const kept = {};
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('');
    const [status, text] = respond(request, body, kept);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}` };
}
