// The scripts of the pipeline, and how they fail: with a line that says why, and with nothing half-deployed.

import assert from 'node:assert/strict';
import { access, cp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { account, forStage, Workspace } from './workspace.mjs';

const stranger = '333333333333';
const deployRole = {
  STAGE: 'DEV',
  TARGET_ACCOUNT_ID: account,
  CROSS_ACCOUNT_ROLE: `arn:aws:iam::${account}:role/cross-account-role-serverless-deployment-DEV`,
  EXTERNAL_ID: 'an-external-id',
};
// What the smoke test creates and finds.
const product = '{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}';

test('packaging refuses what it would package wrongly, before it calls osls', async (t) => {
  const refusals = [
    [{ STAGE: undefined }, "package.sh: STAGE must be DEV, STAGE or PROD, and is ''\n"],
    [{ STAGE: 'dev' }, "package.sh: STAGE must be DEV, STAGE or PROD, and is 'dev'\n"],
    [
      { TARGET_ACCOUNT_ID: undefined },
      "package.sh: TARGET_ACCOUNT_ID must be the target account's 12 digits, and is ''\n",
    ],
    [
      { TARGET_ACCOUNT_ID: '1234' },
      "package.sh: TARGET_ACCOUNT_ID must be the target account's 12 digits, and is '1234'\n",
    ],
    [
      { CF_EXECUTION_ROLE: undefined },
      `package.sh: CF_EXECUTION_ROLE must be the ARN of a role in account ${account}, and is ''\n`,
    ],
    [
      { CF_EXECUTION_ROLE: `arn:aws:iam::${stranger}:role/cf` },
      `package.sh: CF_EXECUTION_ROLE must be the ARN of a role in account ${account}, and is 'arn:aws:iam::${stranger}:role/cf'\n`,
    ],
    [{ AWS_REGION: undefined }, 'package.sh: AWS_REGION must be the region to deploy to, and is not set\n'],
    [{ ARCHITECTURE: 'arm' }, "package.sh: ARCHITECTURE must be arm64 or x86_64, and is 'arm'\n"],
  ];
  const workspace = await Workspace.create(t);
  await workspace.withoutOsls();
  const refused = async (env, line) => {
    const packaged = await workspace.run('scripts/package.sh', [], defined({ ...forStage('DEV'), ...env }));
    assert.equal(packaged.code, 1);
    assert.equal(packaged.stderr, line);
  };
  await refused({}, 'package.sh: there is no dist/check-release.zip: run scripts/build.sh first\n');
  await workspace.build({});
  for (const [env, line] of refusals) await refused(env, line);
  assert.doesNotMatch((await workspace.calls()).join('\n'), /osls/);
});

test('building refuses an architecture that Lambda does not have, before it builds', async (t) => {
  const workspace = await Workspace.create(t);
  const built = await workspace.build({ ARCHITECTURE: 'arm' });
  assert.equal(built.code, 1);
  assert.equal(built.stderr, "build.sh: ARCHITECTURE must be arm64 or x86_64, and is 'arm'\n");
  assert.deepEqual(await workspace.calls(), []);
});

test('a build that fails leaves no package, not even an older one', async (t) => {
  const workspace = await Workspace.create(t);
  assert.equal((await workspace.package(forStage('DEV'))).code, 0);
  await access(workspace.path('dist/package/serverless-state.json'));
  await workspace.command('cargo', 'echo "error: could not compile" >&2; exit 101');
  const built = await workspace.run('scripts/build.sh', [], {});
  assert.equal(built.code, 101);
  assert.equal(built.stderr, 'error: could not compile\n');
  await assert.rejects(access(workspace.path('dist/package')));
});

test('packaging needs no credentials and makes no call', async (t) => {
  const workspace = await Workspace.create(t);
  // Whoever asks for credentials finds none, and whoever calls AWS finds nobody there.
  const packaged = await workspace.package({
    ...forStage('PROD'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
  });
  assert.equal(packaged.code, 0, packaged.stderr);
  assert.deepEqual(await workspace.calls(), [
    'cargo lambda build --release --locked --arm64 --package=check-release --package=create-product --package=find-product',
  ]);
});

test('deploying refuses another stage, another account and a missing package, before any call', async (t) => {
  const refusals = [
    [{ STAGE: undefined }, "deploy.sh: STAGE must be DEV, STAGE or PROD, and is ''\n"],
    [{ STAGE: 'PROD' }, 'deploy.sh: the package in dist/ is of stage DEV and not of PROD: nothing is deployed\n'],
    [
      { TARGET_ACCOUNT_ID: undefined },
      "deploy.sh: TARGET_ACCOUNT_ID must be the target account's 12 digits, and is ''\n",
    ],
    [
      { TARGET_ACCOUNT_ID: stranger },
      `deploy.sh: CROSS_ACCOUNT_ROLE must be the ARN of a role in account ${stranger}, and is '${deployRole.CROSS_ACCOUNT_ROLE}'\n`,
    ],
    [
      { TARGET_ACCOUNT_ID: stranger, CROSS_ACCOUNT_ROLE: `arn:aws:iam::${stranger}:role/r` },
      `deploy.sh: the package in dist/ is for the account of ${forStage('DEV').CF_EXECUTION_ROLE} and not for ${stranger}: nothing is deployed\n`,
    ],
    [
      { CROSS_ACCOUNT_ROLE: undefined },
      `deploy.sh: CROSS_ACCOUNT_ROLE must be the ARN of a role in account ${account}, and is ''\n`,
    ],
    [
      { EXTERNAL_ID: undefined },
      'deploy.sh: EXTERNAL_ID must be the external id of the cross-account role, and is not set\n',
    ],
  ];
  const workspace = await Workspace.create(t);
  await workspace.command('aws', 'exit 1');
  const deploy = (env) => workspace.run('scripts/deploy.sh', [], defined({ ...deployRole, ...env }));

  const missing = await deploy({});
  assert.equal(missing.code, 1);
  assert.equal(missing.stderr, 'deploy.sh: there is no package in dist/package: run scripts/package.sh first\n');

  assert.equal((await workspace.package(forStage('DEV'))).code, 0);
  const before = await workspace.calls();
  for (const [env, line] of refusals) {
    const deployed = await deploy(env);
    assert.equal(deployed.code, 1);
    assert.equal(deployed.stderr, line);
  }
  assert.deepEqual(await workspace.calls(), before);
});

/** Deploys a package of this stage, in which a change is made to what osls trusts, and says whether AWS was called. */
async function deploysChanged(t, stage) {
  const workspace = await Workspace.create(t);
  assert.equal((await workspace.package(forStage(stage))).code, 0);
  await workspace.command('aws', 'exit 9');
  await cp(workspace.path('dist'), workspace.path('unchanged'), { recursive: true });
  const state = 'dist/package/serverless-state.json';
  return async (change) => {
    await rm(workspace.path('dist'), { recursive: true });
    await cp(workspace.path('unchanged'), workspace.path('dist'), { recursive: true });
    const packaged = JSON.parse(await workspace.read(state));
    await change(packaged.service, workspace);
    await workspace.write(state, JSON.stringify(packaged));
    const before = await workspace.calls();
    const deployed = await workspace.run('scripts/deploy.sh', [], { ...deployRole, STAGE: stage });
    return { ...deployed, called: (await workspace.calls()).length > before.length };
  };
}

test('a package in which osls would upload another file is refused before anything has credentials', async (t) => {
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
    ['has a link beside the package', (_, workspace) => link(workspace, 'dist/package/a-link')],
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
test('a table of DEV may be lost', async (t) => {
  const deploy = await deploysChanged(t, 'DEV');
  for (const [weaken] of Object.values(weaker)) {
    assert.equal((await deploy((service) => weaken(tableOf(service)))).called, true);
  }
});

for (const stage of ['STAGE', 'PROD']) {
  test(`a package of ${stage} whose table could be lost is refused`, async (t) => {
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

test('a role that cannot be assumed ends the deployment', async (t) => {
  const workspace = await Workspace.create(t);
  assert.equal((await workspace.package(forStage('DEV'))).code, 0);
  await workspace.command(
    'aws',
    'echo "An error occurred (AccessDenied) when calling the AssumeRole operation" >&2; exit 254',
  );
  const deployed = await workspace.run('scripts/deploy.sh', [], deployRole);
  assert.equal(deployed.code, 254);
  assert.match(deployed.stderr, /AccessDenied/);
  const [, assume, ...more] = await workspace.calls();
  assert.match(assume, /^aws sts assume-role .*--external-id an-external-id/);
  assert.deepEqual(more, []);
});

test('the credentials of the target account are never printed', async (t) => {
  const workspace = await Workspace.create(t);
  assert.equal((await workspace.package(forStage('DEV'))).code, 0);
  await workspace.command(
    'aws',
    `case $1 in
    sts) printf 'canary-key\\tcanary-secret\\tcanary-token\\n' ;;
    cloudformation) [[ $AWS_SECRET_ACCESS_KEY == canary-secret ]] && echo https://api.example/DEV ;;
  esac`,
  );
  // The smoke test's calls, which carry them where nobody sees them.
  await workspace.command('curl', curl('*canary-secret*canary-token*'));
  await workspace.withoutOsls('[[ $AWS_SESSION_TOKEN == canary-token ]]');
  const deployed = await workspace.run('scripts/deploy.sh', [], deployRole);
  assert.equal(deployed.code, 0, deployed.stderr);
  assert.equal(await workspace.read('api-endpoint.txt'), 'https://api.example/DEV\n');
  assert.match(deployed.stdout, /The API is at https:\/\/api\.example\/DEV/);
  assert.doesNotMatch(deployed.stdout + deployed.stderr + (await workspace.calls()).join('\n'), /canary/);
});

test('the key of the API is read when a function asks for it, and never printed', async (t) => {
  const workspace = await Workspace.create(t);
  const stack = await workspace.read('serverless.yml');
  await workspace.write('serverless.yml', stack.replace('findAuthorization: NONE', 'findAuthorization: API_KEY'));
  assert.equal((await workspace.package(forStage('DEV'))).code, 0);
  await workspace.command(
    'aws',
    `case "$1 $2" in
    sts*) printf 'a\\tb\\tc\\n' ;;
    'cloudformation describe-stack-resource') echo key-id ;;
    cloudformation*) echo https://api.example/DEV ;;
    'apigateway get-api-key') [[ $4 == key-id ]] && echo canary-key ;;
  esac`,
  );
  await workspace.withoutOsls();
  await workspace.command('curl', curl(`*'header = "X-Api-Key: canary-key"'*`));
  const deployed = await workspace.run('scripts/deploy.sh', [], deployRole);
  assert.equal(deployed.code, 0, deployed.stderr);
  assert.doesNotMatch(deployed.stdout + deployed.stderr + (await workspace.calls()).join('\n'), /canary/);
});

test('the smoke test signs with the credentials that it has, and sends the key that it has', async (t) => {
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

test('the smoke test passes over an API that keeps its product', async (t) => {
  const { url } = await api(t, keeps);
  const tried = await smokeTest(t, url);
  assert.equal(tried.code, 0, tried.stderr);
  assert.equal(tried.stdout, `Created a product and found it: ${url}/product/find/smoke-test\n`);
});

test('the smoke test passes over a new API whose first responses are not yet its own', async (t) => {
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

test('the smoke test passes where another product has its id, and fails where that product is not found', async (t) => {
  const another = '{"id":"smoke-test","title":"Another","description":"","price":"1.00"}';
  const taken = (found) => (request) =>
    request.method === 'POST' ? [409, '{"title":"The id is taken","status":409}'] : found;
  const { url } = await api(t, taken([200, another]));
  const passed = await smokeTest(t, url);
  assert.equal(passed.code, 0, passed.stderr);
  const { url: other } = await api(t, taken([200, '{"id":"1001"}']));
  const failed = await smokeTest(t, other);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^smoke-test\.sh: GET http.* should return \{"id":"smoke-test",\*\}, and returned 200: /);
});

test('the smoke test fails over an API that loses, changes or refuses its product', async (t) => {
  const broken = {
    loses: (request, body) => (request.method === 'POST' ? [201, body] : [404, '{"title":"No product has this id"}']),
    changes: (request, body) => (request.method === 'POST' ? [201, body] : [200, '{"id":"smoke-test"}']),
    refuses: () => [500, '{"title":"Internal error"}'],
  };
  await Promise.all(
    Object.values(broken).map(async (answer) => {
      const { url } = await api(t, answer);
      const tried = await smokeTest(t, url);
      assert.equal(tried.code, 1);
      assert.match(
        tried.stderr,
        /smoke-test\.sh: (GET|POST) http.* should return \{"id":"smoke-test",.*\}, and returned (404|200|500): \{/,
      );
      assert.equal(tried.stdout, '');
    }),
  );
});

/** A curl whose response satisfies the smoke test, if it reads this from standard input. */
const curl = (input) => `while (($#)); do [[ $1 != --output ]] || output=$2; shift; done
  [[ $(cat) == ${input} ]] && printf '%s' '${product}' >"$output" && echo 200`;

const defined = (env) => Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));

/** Keeps the product of a POST, and answers each request with it. */
function keeps({ method }, body, kept) {
  if (method === 'POST') kept.product = body;
  return [method === 'POST' ? 201 : 200, kept.product];
}

async function smokeTest(t, url, env) {
  const workspace = await Workspace.create(t);
  return workspace.run('scripts/smoke-test.sh', [url], env);
}

/** An API on loopback whose answers are `answer(request, body, kept)`: a status and a body. */
async function api(t, answer) {
  const kept = {};
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('');
    const [status, text] = answer(request, body, kept);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}` };
}
