// What scripts/plan.sh shows the person who approves a release: for change sets that ministack created for this stack
// (change-sets.jsonl: one entry per line), and for entries in AWS's format where ministack's lack something.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { account, executionRole, root, Workspace } from './workspace.mjs';

const STAGE = 'PROD';
const SUMMARY = 300;
const stack = `product-catalog-service-${STAGE}`;
const role = {
  STAGE,
  TARGET_ACCOUNT_ID: account,
  CROSS_ACCOUNT_ROLE: `arn:aws:iam::${account}:role/cross-account-role-serverless-deployment-${STAGE}`,
  EXTERNAL_ID: 'an-external-id',
};

const recorded = (await readFile(path.join(root, 'tests/deployment/change-sets.jsonl'), 'utf8'))
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const entriesOf = (name) =>
  recorded.filter((each) => each.of === name).map(({ ResourceChange }) => ({ Type: 'Resource', ResourceChange }));

// One package for all tests; a test that changes it makes a copy.
const workspace = await Workspace.packaged({ after }, STAGE);

/** The deployed code: the packaged zip, except for the functions in `other`. */
async function codeOf(name, other) {
  if (other.includes(name)) return 'another';
  const zip = await readFile(workspace.path(`dist/${name}-product.zip`));
  return createHash('sha256').update(zip).digest('base64');
}

/** Plans against an AWS with these changes, and returns the log, the approval's text and the calls. */
async function plan(
  changes,
  { other = [], existing = 'echo UPDATE_COMPLETE', status = 'CREATE_COMPLETE', reason = 'None' } = {},
) {
  await workspace.write('change-set.json', `${JSON.stringify({ Changes: changes }, null, 4)}\n`);
  await workspace.write('reason', reason);
  await workspace.write('calls', '');
  const codes = await Promise.all(['create', 'find'].map((name) => codeOf(name, other)));
  await workspace.command(
    'aws',
    `if [[ $1 != sts && $AWS_SESSION_TOKEN != canary-token ]]; then echo "no credentials" >&2; exit 255; fi
    case "$1 $2 $*" in
      sts*) printf 'canary-key\\tcanary-secret\\tcanary-token\\n' ;;
      *describe-stacks*) ${existing} ;;
      *create-change-set*) for each; do [[ $each != file://* ]] || cp "\${each#file://}" template.json; done; echo '{}' ;;
      *describe-change-set*'--query StatusReason'*) cat reason ;;
      *describe-change-set*'--query Status'*)
        # Not at once.
        if [[ $(grep -c 'query Status$' calls) == 1 ]]; then echo CREATE_IN_PROGRESS; else echo ${status}; fi ;;
      *describe-change-set*) cat change-set.json ;;
      *get-function*-create*) echo ${codes[0]} ;;
      *get-function*-find*) echo ${codes[1]} ;;
      *delete-change-set*) ;;
      *) exit 9 ;;
    esac`,
  );
  const done = await workspace.run('scripts/plan.sh', [], role);
  const calls = await workspace.calls();
  assert.doesNotMatch(done.stdout + done.stderr + calls.join('\n'), /canary/);
  const operations = calls.map((call) => call.split(' ')[2]);
  const created = operations.filter((each) => each === 'create-change-set').length;
  assert.equal(operations.filter((each) => each === 'delete-change-set').length, created, 'it is deleted');
  if (done.code !== 0) return { ...done, calls, operations };

  const summary = (await workspace.read('changes.txt')).trimEnd();
  assert.ok(summary.length <= SUMMARY && /^[A-Za-z0-9 ,;.:()-]+$/.test(summary), summary);
  const [, report] = done.stdout.split(/^(?=This release|The stack does not exist)/m);
  return { ...done, calls, operations, summary, lines: report.trimEnd().split('\n') };
}

test('repackaging a release changes nothing', async () => {
  const { stdout, summary, lines } = await plan(entriesOf('nothing'));
  assert.equal(summary, 'no changes');
  assert.equal(lines[0], 'This release changes nothing.');
  // The log still contains the complete change set.
  assert.ok(stdout.includes(`The complete change set of ${stack}:\n${await workspace.read('change-set.json')}`));
  assert.match(stdout, /^Release [0-9a-f]{64}\n/);
});

test('the deployed package changes nothing', async () => {
  for (const reason of [
    "The submitted information didn't contain changes. Submit different information to create a change set.",
    'No updates are to be performed.',
  ]) {
    const { code, stderr, summary } = await plan([], { status: 'FAILED', reason });
    assert.equal(code, 0, stderr);
    assert.equal(summary, 'no changes');
  }
});

test('more memory changes both functions, and nothing that refers to them', async () => {
  const { summary, lines } = await plan(entriesOf('memory'));
  assert.equal(
    summary,
    'changes CreateLambdaFunction, FindLambdaFunction; adds CreateLambdaVersion, FindLambdaVersion',
  );
  assert.deepEqual(lines.slice(0, 3), [
    'This release:',
    '   changes CreateLambdaFunction (AWS::Lambda::Function): MemorySize',
    '   changes FindLambdaFunction (AWS::Lambda::Function): MemorySize',
  ]);
  assert.doesNotMatch(lines.join('\n'), /ApiGateway(Method|Stage|Deployment\d)/);
});

test('new code changes the function that has it', async () => {
  const { summary, lines } = await plan(entriesOf('code'), { other: ['create'] });
  assert.equal(summary, 'changes CreateLambdaFunction; adds CreateLambdaVersion');
  assert.equal(lines[1], '   changes CreateLambdaFunction (AWS::Lambda::Function): Code');
});

test('another table is in capitals, and first', async () => {
  const { summary, lines } = await plan(entriesOf('table'));
  assert.ok(summary.startsWith('REPLACES ProductCatalogDynamoDBTable; '), summary);
  assert.equal(
    lines[1],
    '!! REPLACES ProductCatalogDynamoDBTable (AWS::DynamoDB::Table): TableName; the old one is kept, without its data in the new one',
  );
  // Everything that contains the table's name changes with it.
  assert.match(lines.join('\n'), /changes FindRole \(AWS::IAM::Role\): Policies/);
});

test('a new function is listed with its route', async () => {
  const { summary } = await plan(entriesOf('function'));
  assert.equal(
    summary,
    'adds ApiGatewayMethodProductListGet, ApiGatewayResourceProductList, ListLambdaFunction, ListLambdaPermissionApiGateway, ListLambdaVersion, ListLogGroup',
  );
});

test('the first deployment is planned without a change set, which would leave an empty stack', async () => {
  const gone = `echo "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id ${stack} does not exist" >&2; exit 254`;
  for (const existing of [gone, 'echo REVIEW_IN_PROGRESS']) {
    const { code, stderr, operations, summary, lines } = await plan([], { existing });
    assert.equal(code, 0, stderr);
    assert.match(summary, /^first deployment: adds up to \d\d resources$/);
    assert.match(
      lines.join('\n'),
      /does not exist yet.*\n.*\badds ProductCatalogDynamoDBTable \(AWS::DynamoDB::Table\)/s,
    );
    assert.deepEqual(operations, ['assume-role', 'describe-stacks']);
  }
});

test('the change set has the template, the role and the tag that osls deploys with', async () => {
  const { calls } = await plan(entriesOf('nothing'));
  const created = calls.find((call) => call.includes('create-change-set'));
  for (const part of [
    `--stack-name ${stack} `,
    '--change-set-type UPDATE',
    `--role-arn ${executionRole} `,
    '--capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM',
    `--tags Key=STAGE,Value=${STAGE}`,
  ])
    assert.ok(created.includes(part), `${part} in ${created}`);
  const planned = await workspace.read('template.json');
  const packaged = await workspace.template(STAGE);
  assert.deepEqual(JSON.parse(planned), packaged);
  assert.ok(Buffer.byteLength(planned) <= 51_200);
});

test('a template that is too large for a change set is refused before any call', async () => {
  const file = `dist/package/${STAGE}/serverless-state.json`;
  const packaged = await workspace.read(file);
  const state = JSON.parse(packaged);
  state.service.provider.compiledCloudFormationTemplate.Description = 'x'.repeat(51_200);
  await workspace.write(file, JSON.stringify(state));
  const { code, stderr, calls } = await plan([]);
  await workspace.write(file, packaged);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^plan\.sh: the template of PROD has \d{5} bytes, but CloudFormation accepts 51200 without a bucket: nothing is planned\n$/,
  );
  assert.deepEqual(calls, []);
});

test('a plan fails with the reason from AWS', async () => {
  const denied = await plan([], { existing: 'echo "AccessDenied: not authorized" >&2; exit 254' });
  assert.deepEqual(
    [denied.code, denied.stderr],
    [1, `plan.sh: ${stack} cannot be read: AccessDenied: not authorized\n`],
  );
  const failed = await plan([], { status: 'FAILED', reason: 'Template error: no such parameter' });
  assert.equal(failed.code, 1);
  assert.equal(failed.stderr, `plan.sh: the change set of ${stack} is FAILED: Template error: no such parameter\n`);
  const unreadable = entriesOf('nothing').map((each) => structuredClone(each));
  for (const { ResourceChange: change } of unreadable)
    if (change.ResourceType === 'AWS::Lambda::Function') change.PhysicalResourceId = 'unknown';
  assert.equal((await plan(unreadable)).code, 9);
});

const modify = (LogicalResourceId, ResourceType, Details, rest = {}) => ({
  Type: 'Resource',
  ResourceChange: { Action: 'Modify', LogicalResourceId, ResourceType, Replacement: 'False', Details, ...rest },
});
const target = (Path, BeforeValue, AfterValue, RequiresRecreation = 'Never') => ({
  Attribute: 'Properties',
  Name: Path.split('/')[2],
  Path,
  RequiresRecreation,
  BeforeValue,
  AfterValue,
});
const direct = (Target, Evaluation = 'Static') => ({ Target, Evaluation, ChangeSource: 'DirectModification' });
const caused = (Target, CausingEntity) => ({
  Target,
  Evaluation: 'Dynamic',
  ChangeSource: CausingEntity.includes('.') ? 'ResourceAttribute' : 'ResourceReference',
  CausingEntity,
});
const LATER = '{{changeSet:KNOWN_AFTER_APPLY}}';

test('a reference to a resource that is not replaced is omitted, but not a change beside it', async () => {
  const memory = direct(target('/Properties/MemorySize', '128', '256'));
  const uri = target('/Properties/Integration/Uri', 'arn:aws:apigateway:...', LATER);
  const timeout = direct(target('/Properties/Integration/TimeoutInMillis', '29000', '5000'));
  const method = (...more) =>
    modify(
      'ApiGatewayMethodProductCreatePost',
      'AWS::ApiGateway::Method',
      [direct(uri, 'Dynamic'), caused(uri, 'CreateLive'), ...more],
      { Replacement: 'Conditional' },
    );
  const version = target('/Properties/FunctionVersion', '7', LATER);
  const changes = [
    modify('CreateLambdaFunction', 'AWS::Lambda::Function', [memory], { PhysicalResourceId: `${stack}-create` }),
    {
      Type: 'Resource',
      ResourceChange: {
        Action: 'Add',
        LogicalResourceId: 'CreateLambdaVersionb2',
        ResourceType: 'AWS::Lambda::Version',
      },
    },
    modify(
      'CreateLive',
      'AWS::Lambda::Alias',
      [
        direct(version, 'Dynamic'),
        caused(version, 'CreateLambdaVersionb2.Version'),
        caused(target('/Properties/FunctionName', 'f', LATER, 'Always'), 'CreateLambdaFunction'),
      ],
      { Replacement: 'Conditional' },
    ),
  ];
  const followed = await plan([...changes, method()]);
  assert.equal(followed.summary, 'changes CreateLambdaFunction, CreateLive; adds CreateLambdaVersion');
  assert.deepEqual(followed.lines.slice(1, 3), [
    '   changes CreateLambdaFunction (AWS::Lambda::Function): MemorySize 128 -> 256',
    '   changes CreateLive (AWS::Lambda::Alias): FunctionVersion',
  ]);
  const beside = await plan([...changes, method(timeout)]);
  assert.match(
    beside.lines.join('\n'),
    /changes ApiGatewayMethodProductCreatePost \(AWS::ApiGateway::Method\): Integration\/TimeoutInMillis 29000 -> 5000\n/,
  );
});

test('removals and possible replacements are in capitals', async () => {
  const removed = (LogicalResourceId, ResourceType, PolicyAction) => ({
    Type: 'Resource',
    ResourceChange: { Action: 'Remove', LogicalResourceId, ResourceType, PolicyAction },
  });
  const { summary, lines } = await plan([
    modify('AlarmTopic', 'AWS::SNS::Topic', [direct(target('/Properties/TopicName', 'a', 'b', 'Conditionally'))], {
      Replacement: 'Conditional',
    }),
    removed('ProductCatalogDynamoDBTable', 'AWS::DynamoDB::Table', 'Retain'),
    removed('AccessLogGroup', 'AWS::Logs::LogGroup', 'Delete'),
  ]);
  assert.equal(summary, 'REMOVES ProductCatalogDynamoDBTable, AccessLogGroup; PERHAPS REPLACES AlarmTopic');
  assert.deepEqual(lines.slice(1), [
    '!! REMOVES ProductCatalogDynamoDBTable (AWS::DynamoDB::Table); it is kept, outside the stack',
    '!! REMOVES AccessLogGroup (AWS::Logs::LogGroup); it is deleted',
    '!! PERHAPS REPLACES AlarmTopic (AWS::SNS::Topic): TopicName a -> b',
  ]);
});

test('the summary is short and plain for any change set', async () => {
  const many = Array.from({ length: 60 }, (_, i) =>
    modify(`"$(curl example.com)#{Build.RELEASE}${i}`, 'AWS::Logs::LogGroup', []),
  );
  const { summary } = await plan([...many, ...entriesOf('table')]);
  assert.ok(summary.startsWith('REPLACES ProductCatalogDynamoDBTable; '), summary);
  assert.ok(summary.endsWith('... see the log for all'));
  assert.equal(summary.length, SUMMARY);
});

test('a failed plan writes nothing for the approval', async () => {
  await workspace.run('rm', ['-f', 'changes.txt']);
  await plan([], { status: 'FAILED', reason: 'for a reason' });
  await assert.rejects(access(workspace.path('changes.txt')));
});
