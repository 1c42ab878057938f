// What each role of the pipeline may do, asked of an offline policy evaluator. Every "no" stands
// beside a "yes" that differs in one thing, so that a policy read wrongly cannot pass for a denial.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isWildcardOnlyAction, runSimulation, runUnsafeSimulation } from '@cloud-copilot/iam-simulate';
import { read, resources } from './template.mjs';

const TOOLS = '111111111111';
const TARGET = '222222222222';
const THIRD = '333333333333';
const REGION = 'eu-central-1';
const EXTERNAL_ID = 'product-catalog-7f3a';
const ORGANIZATION = 'o-a1b2c3d4e5';

const templates = ['pipeline/pipeline.yml', 'target-roles/deployment-role.yml', 'target-roles/execution-role.yml'];

const pipeline = (parameters = {}) =>
  resources('pipeline/pipeline.yml', {
    account: TOOLS,
    region: REGION,
    parameters: { TargetAccountID: TARGET, ExternalId: EXTERNAL_ID, ...parameters },
  });
const deployment = (parameters = {}) =>
  resources('target-roles/deployment-role.yml', {
    account: TARGET,
    region: REGION,
    parameters: { ToolsAccountID: TOOLS, ExternalId: EXTERNAL_ID, ...parameters },
  });
const execution = (parameters = {}) =>
  resources('target-roles/execution-role.yml', { account: TARGET, region: REGION, parameters });

/** Someone with these policies; a role of a template brings its own. */
const principal = (arn, policies) => ({ arn, policies: policies.map((policy, i) => ({ name: `${i}`, policy })) });
const inline = ({ Policies = [] }) => Policies.map(({ PolicyDocument }) => PolicyDocument);
const role = (made) => principal(made.Arn, inline(made));
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
const administrator = (arn) => principal(arn, [everything]);
const alsoAdministrator = ({ arn, policies }) => ({
  arn,
  policies: [...policies, { name: 'everything', policy: everything }],
});
const opensTo = (action, resource) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: action, ...resource }],
});

/** May this principal do that? A question that the evaluator does not understand is an error. */
async function may(who, action, resource, { context = {}, owner = who.arn.split(':')[4], policy, boundary } = {}) {
  const simulation = {
    request: {
      principal: who.arn,
      action,
      resource: { resource, accountId: owner },
      contextVariables: {
        'aws:PrincipalArn': who.arn,
        'aws:ResourceAccount': owner,
        'aws:SecureTransport': 'true',
        ...context,
      },
    },
    identityPolicies: who.policies,
    permissionBoundaryPolicies: boundary && [{ name: 'boundary', policy: boundary }],
    resourcePolicy: policy,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
  // The evaluator's data runs two ARNs of API Gateway into one, and so refuses to judge a POST.
  if (action === 'apigateway:POST') return runUnsafeSimulation(simulation, {}) === 'Allowed';
  const answer = await runSimulation(simulation, {});
  assert.notEqual(answer.resultType, 'error', `${action} on ${resource}: ${JSON.stringify(answer.errors)}`);
  const ignored = Object.keys(context).filter((key) => answer.result?.ignoredContextKeys?.includes(key));
  assert.deepEqual(ignored, [], `${action} knows no such condition`);
  return answer.overallResult === 'Allowed';
}
const service = (name) => principal(name, []);

const list = (value) => [value].flat();
/** A fact made of questions, those that are allowed and those that are denied: who, one action or several, on what. */
const fact = (name, questions) =>
  test(name, async () => {
    for (const [verdict, expected] of Object.entries({ allowed: true, denied: false })) {
      assert.ok(questions[verdict].length > 0, 'a denial needs its allowed twin');
      for (const [who, actions, resource, details] of questions[verdict]) {
        for (const action of list(actions)) {
          const answer = await may(who, action, resource, details);
          assert.equal(answer, expected, `must be ${verdict}: ${action} on ${resource}`);
        }
      }
    }
  });

const dev = { execution: execution(), deployment: deployment(), pipeline: pipeline() };
const prod = {
  execution: execution({ DeploymentEnvironment: 'PROD' }),
  deployment: deployment({ DeploymentEnvironment: 'PROD' }),
  pipeline: pipeline({ DeploymentEnvironment: 'PROD' }),
};
const executionRole = role(dev.execution.ExecutionRole);
const deploymentRole = role(dev.deployment.DeploymentRole);
const { PipelineRole, BuildRole, DeployRole, PushRole } = dev.pipeline;
const [pipelineRole, buildRole, deployRole, pushRole] = [PipelineRole, BuildRole, DeployRole, PushRole].map(role);
const boundary = dev.execution.FunctionBoundary;

const iam = (name, account = TARGET) => `arn:aws:iam::${account}:role/${name}`;
const functionRole = iam('product-catalog-service-DEV-create-role');
const lambda = (name) => `arn:aws:lambda:${REGION}:${TARGET}:function:${name}`;
const table = (name) => `arn:aws:dynamodb:${REGION}:${TARGET}:table/${name}`;
const logGroup = (name) => `arn:aws:logs:${REGION}:${TARGET}:log-group:${name}`;
const stack = (name) => `arn:aws:cloudformation:${REGION}:${TARGET}:stack/${name}/6b3f0c5e`;
const api = (path) => `arn:aws:apigateway:${REGION}::${path}`;
const withinBoundary = { context: { 'iam:PermissionsBoundary': boundary.Arn } };
const passedTo = (name) => ({ context: { 'iam:PassedToService': name } });

// The names that CloudFormation may give the bucket, which it cuts to 63 characters.
const buckets = [
  'product-catalog-service-dev-serverlessdeploymentbu1abc2def3ghi4',
  'product-catalog-service-d-serverlessdeploymentbuck-1abc2def3ghi',
  'product-catalog-service-serverlessdeploymentbuck-1abc2def3ghi4',
].map((name) => `arn:aws:s3:::${name}`);
const [bucket] = buckets;
const upload = (of, stage = 'DEV') =>
  `${of}/serverless/product-catalog-service/${stage}/1700000000000-2023-11-14/create.zip`;

// ---- The execution role: what CloudFormation may do --------------------------------------------

const writesRole = [
  'iam:CreateRole',
  'iam:PutRolePolicy',
  'iam:PutRolePermissionsBoundary',
  'iam:UpdateAssumeRolePolicy',
];
const withinAnother = { context: { 'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/AdministratorAccess' } };
fact('a role is written only with the boundary', {
  allowed: [[executionRole, writesRole, functionRole, withinBoundary]],
  denied: [
    [executionRole, writesRole, functionRole],
    [executionRole, writesRole, functionRole, withinAnother],
  ],
});

fact('the boundary is never removed from a role, whatever else the execution role is given', {
  allowed: [[administrator(executionRole.arn), 'iam:DeleteRolePermissionsBoundary', functionRole, withinBoundary]],
  denied: [
    [executionRole, 'iam:DeleteRolePermissionsBoundary', functionRole, withinBoundary],
    [alsoAdministrator(executionRole), 'iam:DeleteRolePermissionsBoundary', functionRole, withinBoundary],
  ],
});

const policyChanges = ['CreatePolicyVersion', 'SetDefaultPolicyVersion', 'DeletePolicyVersion', 'DeletePolicy'].map(
  (action) => `iam:${action}`,
);
fact('the boundary itself is never changed, whatever else the execution role is given', {
  allowed: [[alsoAdministrator(executionRole), policyChanges, `${boundary.Arn}-of-another`]],
  denied: [
    [executionRole, policyChanges, boundary.Arn],
    [alsoAdministrator(executionRole), policyChanges, boundary.Arn],
  ],
});

const foreignRoles = [
  iam('administrators'),
  iam('product-catalog-service-PROD-create-role'),
  executionRole.arn,
  deploymentRole.arn,
  iam('product-catalog-service-DEV-deploy'), // the pipeline's, where tools and target are one account
];
const managesRole = (name) => [
  [executionRole, 'iam:PutRolePolicy', name, withinBoundary],
  [executionRole, ['iam:GetRole', 'iam:DeleteRole'], name],
];
fact('no role outside the stage is written, read or deleted', {
  allowed: managesRole(functionRole),
  denied: foreignRoles.flatMap(managesRole),
});

fact('no managed policy is attached to any role', {
  allowed: [[executionRole, 'iam:PutRolePolicy', functionRole, withinBoundary]],
  denied: [[executionRole, 'iam:AttachRolePolicy', functionRole, withinBoundary]],
});

fact('Lambda is passed the roles of this stage, and nothing else is passed to anyone', {
  allowed: [[executionRole, 'iam:PassRole', functionRole, passedTo('lambda.amazonaws.com')]],
  denied: [
    ...foreignRoles.map((foreign) => [executionRole, 'iam:PassRole', foreign, passedTo('lambda.amazonaws.com')]),
    [executionRole, 'iam:PassRole', functionRole, passedTo('ec2.amazonaws.com')],
    [executionRole, 'iam:PassRole', functionRole],
  ],
});

fact('the execution role knows the functions of its stage only', {
  allowed: [[executionRole, 'lambda:UpdateFunctionCode', lambda('product-catalog-service-DEV-create')]],
  denied: [
    [executionRole, 'lambda:UpdateFunctionCode', lambda('product-catalog-service-PROD-create')],
    [executionRole, 'lambda:UpdateFunctionCode', lambda('payments')],
    [executionRole, 'lambda:InvokeFunction', lambda('product-catalog-service-DEV-create')],
  ],
});

fact('the execution role knows one table only, and none of its items', {
  allowed: [[executionRole, 'dynamodb:UpdateTable', table('PRODUCT_CATALOG')]],
  denied: [
    [executionRole, 'dynamodb:UpdateTable', table('PRODUCT_CATALOG_OLD')],
    [executionRole, 'dynamodb:Scan', table('PRODUCT_CATALOG')],
    [executionRole, 'dynamodb:PutItem', table('PRODUCT_CATALOG')],
  ],
});

fact('production never loses its table, whatever else the execution role is given', {
  allowed: [
    [executionRole, 'dynamodb:DeleteTable', table('PRODUCT_CATALOG')],
    [role(prod.execution.ExecutionRole), 'dynamodb:UpdateTable', table('PRODUCT_CATALOG')],
  ],
  denied: [
    [role(prod.execution.ExecutionRole), 'dynamodb:DeleteTable', table('PRODUCT_CATALOG')],
    [alsoAdministrator(role(prod.execution.ExecutionRole)), 'dynamodb:DeleteTable', table('PRODUCT_CATALOG')],
  ],
});

fact('the execution role makes the deployment bucket, however its name is cut, and no other', {
  allowed: buckets.map((own) => [executionRole, 's3:PutBucketPolicy', own]),
  denied: [
    [executionRole, 's3:PutBucketPolicy', 'arn:aws:s3:::payments-dev-serverlessdeploymentbucket-1abc'],
    [executionRole, 's3:PutBucketPolicy', 'arn:aws:s3:::product-catalog-service-exports'],
    [executionRole, 's3:GetBucketPolicy', 'arn:aws:s3:::product-catalog-service-exports'],
  ],
});

fact('functions get the code of their own stage only', {
  allowed: buckets.map((own) => [executionRole, 's3:GetObject', upload(own)]),
  denied: [
    [executionRole, 's3:GetObject', upload(bucket, 'PROD')],
    [executionRole, 's3:PutObject', upload(bucket)],
  ],
});

const executionTrust = { owner: TARGET, policy: dev.execution.ExecutionRole.AssumeRolePolicyDocument };
fact('only CloudFormation works with the execution role', {
  allowed: [[service('cloudformation.amazonaws.com'), 'sts:AssumeRole', executionRole.arn, executionTrust]],
  denied: [
    [service('lambda.amazonaws.com'), 'sts:AssumeRole', executionRole.arn, executionTrust],
    [administrator(deploymentRole.arn), 'sts:AssumeRole', executionRole.arn, executionTrust],
  ],
});

const topic = (name) => `arn:aws:sns:${REGION}:${TARGET}:${name}`;
const alarm = (name) => `arn:aws:cloudwatch:${REGION}:${TARGET}:alarm:${name}`;
const dashboard = (name) => `arn:aws:cloudwatch::${TARGET}:dashboard/${name}`;
fact('the execution role knows the logs, alarms and topics of its stage only', {
  allowed: [
    [executionRole, 'logs:DeleteLogGroup', logGroup('/aws/lambda/product-catalog-service-DEV-create')],
    [executionRole, 'logs:DeleteLogGroup', logGroup('/aws/api-gateway/product-catalog-service-DEV')],
    [executionRole, 'cloudwatch:DeleteAlarms', alarm('product-catalog-service-DEV-errors')],
    [executionRole, 'cloudwatch:DeleteDashboards', dashboard('product-catalog-service-DEV')],
    [executionRole, 'sns:DeleteTopic', topic('product-catalog-service-DEV-alarms')],
  ],
  denied: [
    [executionRole, 'logs:DeleteLogGroup', logGroup('/aws/lambda/product-catalog-service-PROD-create')],
    [executionRole, 'logs:DeleteLogGroup', logGroup('/aws/api-gateway/product-catalog-service-PROD')],
    [executionRole, 'cloudwatch:DeleteAlarms', alarm('product-catalog-service-PROD-errors')],
    [executionRole, 'cloudwatch:DeleteDashboards', dashboard('product-catalog-service-PROD')],
    [executionRole, 'sns:DeleteTopic', topic('product-catalog-service-PROD-alarms')],
  ],
});

// ---- The alarms: who may wake somebody ----------------------------------------------------------

const alarmTopic = topic('product-catalog-service-DEV-alarms');
/** The topic's policy, as osls and CloudFormation make it of observability.yml for DEV. */
const alarmTopicPolicy = JSON.parse(
  JSON.stringify(read('observability.yml').AlarmTopicPolicy.Properties.PolicyDocument)
    .replaceAll('{"Ref":"AlarmTopic"}', JSON.stringify(alarmTopic))
    .replaceAll('{"Ref":"AWS::AccountId"}', JSON.stringify(TARGET))
    .replaceAll(/\{"Fn::Sub":("[^"]*")\}/g, '$1')
    .replaceAll('${self:service}-${self:provider.stage}', 'product-catalog-service-DEV')
    .replaceAll('${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}', `aws:cloudwatch:${REGION}:${TARGET}`),
);
assert.doesNotMatch(JSON.stringify(alarmTopicPolicy), /\$\{|Fn::|Ref/);
const { AlarmKey } = dev.execution;
const cloudWatch = service('cloudwatch.amazonaws.com');
/** What publishing to the encrypted topic takes, for an alarm of this account or another. */
const publishes = (who, { name = 'product-catalog-service-DEV-errors', account = TARGET, tls = true } = {}) => {
  const context = {
    'aws:SourceAccount': account,
    'aws:SourceArn': `arn:aws:cloudwatch:${REGION}:${account}:alarm:${name}`,
    'aws:SecureTransport': `${tls}`,
  };
  const topic = [who, 'sns:Publish', alarmTopic, { owner: TARGET, policy: alarmTopicPolicy, context }];
  const asked = { owner: TARGET, policy: AlarmKey.KeyPolicy, context };
  const key = [who, ['kms:Decrypt', 'kms:GenerateDataKey'], AlarmKey.Arn, asked];
  return [topic, key];
};
const others = [
  publishes(cloudWatch, { account: THIRD }),
  publishes(cloudWatch, { name: 'product-catalog-service-PROD-errors' }),
  publishes(service('events.amazonaws.com')),
  publishes(administrator(iam('administrators', THIRD))),
];
fact('the alarms of this stage wake somebody, and those of no other stage and account', {
  allowed: publishes(cloudWatch),
  denied: others.flat(),
});

fact('nothing is published without TLS', {
  allowed: publishes(cloudWatch).slice(0, 1),
  denied: publishes(cloudWatch, { tls: false }).slice(0, 1),
});

const keyIs = (who, actions) => {
  const asked = { owner: TARGET, policy: AlarmKey.KeyPolicy };
  return [who, actions.map((action) => `kms:${action}`), AlarmKey.Arn, asked];
};
const keyKeeper = administrator(iam('administrators'));
fact("the alarms' key is kept by an administrator, who cannot use it, and reached by no deployment", {
  allowed: [keyIs(keyKeeper, ['PutKeyPolicy', 'ScheduleKeyDeletion'])],
  denied: [
    keyIs(keyKeeper, ['Decrypt', 'GenerateDataKey', 'Encrypt']),
    keyIs(executionRole, ['PutKeyPolicy', 'ScheduleKeyDeletion', 'GenerateDataKey']),
    keyIs(deploymentRole, ['PutKeyPolicy', 'ScheduleKeyDeletion', 'GenerateDataKey']),
    [executionRole, 'kms:CreateKey', '*'],
  ],
});

test('the topic has the key that its stage has', () => {
  const { KmsMasterKeyId } = read('observability.yml').AlarmTopic.Properties;
  for (const [stage, { execution }] of Object.entries({ DEV: dev, PROD: prod })) {
    const alias = KmsMasterKeyId.replace('${self:service}-${self:provider.stage}', `product-catalog-service-${stage}`);
    assert.equal(alias, execution.AlarmKeyAlias.AliasName);
    assert.equal(execution.AlarmKey.EnableKeyRotation, true);
  }
});

// ---- The boundary: what a function may do, with any role ----------------------------------------

const aFunction = administrator(functionRole);
const logStream = (name) => `${logGroup(`/aws/lambda/product-catalog-service-${name}`)}:log-stream:2026`;
const bounded = { boundary: boundary.PolicyDocument };
fact('a function creates and finds products, logs and traces, whatever its role allows', {
  allowed: [
    [aFunction, 'dynamodb:PutItem', table('PRODUCT_CATALOG'), bounded],
    [aFunction, 'dynamodb:GetItem', table('PRODUCT_CATALOG'), bounded],
    [aFunction, 'logs:CreateLogStream', logStream('DEV-create'), bounded],
    [aFunction, 'logs:PutLogEvents', logStream('DEV-find'), bounded],
    [aFunction, 'xray:PutTraceSegments', '*', bounded],
    [aFunction, 'xray:PutTelemetryRecords', '*', bounded],
  ],
  denied: [
    [aFunction, 'dynamodb:DeleteItem', table('PRODUCT_CATALOG'), bounded],
    [aFunction, 'dynamodb:PutItem', table('OTHER'), bounded],
    [aFunction, 'logs:PutLogEvents', logStream('PROD-find'), bounded],
    [aFunction, 'iam:CreateRole', functionRole, bounded],
    [aFunction, 'sts:AssumeRole', deploymentRole.arn, bounded],
  ],
});

// ---- The deployment role: what the pipeline may do in the target account ------------------------

const trust = dev.deployment.DeploymentRole.AssumeRolePolicyDocument;
const assumes = (
  who,
  { externalId = EXTERNAL_ID, organization = ORGANIZATION, policy = trust, resource = deploymentRole.arn } = {},
) => [
  who,
  'sts:AssumeRole',
  resource,
  { owner: TARGET, policy, context: { 'sts:ExternalId': externalId, 'aws:PrincipalOrgID': organization } },
];

fact('the deployment role is assumed by the deploy role with its external id, and by nobody else', {
  allowed: [assumes(deployRole), assumes(administrator(deployRole.arn))],
  denied: [
    assumes(administrator(deployRole.arn), { externalId: 'somebody-elses' }),
    assumes(administrator(buildRole.arn)),
    assumes(administrator(iam('administrators', TOOLS))),
    assumes(administrator(iam('product-catalog-service-PROD-deploy', TOOLS))),
    assumes(administrator(iam('product-catalog-service-DEV-deploy', THIRD))),
    assumes(administrator(iam('administrators', TARGET))),
  ],
});

test('the external id cannot be left out', async () => {
  const asked = (context) =>
    may(deployRole, 'sts:AssumeRole', deploymentRole.arn, { owner: TARGET, policy: trust, context });
  assert.ok(await asked({ 'sts:ExternalId': EXTERNAL_ID }));
  assert.ok(!(await asked({})));
});

const ofAnOrganization = deployment({ OrganizationID: ORGANIZATION }).DeploymentRole.AssumeRolePolicyDocument;
fact('with an organization the deployment role is assumed from that organization only', {
  allowed: [assumes(deployRole, { policy: ofAnOrganization }), assumes(deployRole, { organization: 'o-zzzzzzzzzz' })],
  denied: [assumes(deployRole, { policy: ofAnOrganization, organization: 'o-zzzzzzzzzz' })],
});

const named = deployment({ DeployRoleName: 'ci-deploy' }).DeploymentRole.AssumeRolePolicyDocument;
fact('a deploy role of another name is trusted when both templates are given it', {
  allowed: [assumes(role(pipeline({ DeployRoleName: 'ci-deploy' }).DeployRole), { policy: named })],
  denied: [assumes(deployRole, { policy: named })],
});

const own = stack('product-catalog-service-DEV');
const with_ = (arn) => ({ context: { 'cloudformation:RoleArn': arn } });
fact('a change set carries the execution role', {
  allowed: [[deploymentRole, 'cloudformation:CreateChangeSet', own, with_(executionRole.arn)]],
  denied: [
    [deploymentRole, 'cloudformation:CreateChangeSet', own],
    [deploymentRole, 'cloudformation:CreateChangeSet', own, with_(iam('administrators'))],
    [deploymentRole, 'cloudformation:CreateStack', own, with_(executionRole.arn)],
    [deploymentRole, 'cloudformation:UpdateStack', own, with_(executionRole.arn)],
  ],
});

const changes = ['ExecuteChangeSet', 'DeleteChangeSet', 'DescribeStackResource'].map(
  (action) => `cloudformation:${action}`,
);
const foreignStacks = ['service-PROD', 'service-DEV-2', 'service-DEV-roles'].map((name) =>
  stack(`product-catalog-${name}`),
);
fact('the deployment role knows one stack only', {
  allowed: [[deploymentRole, changes, own]],
  denied: [...foreignStacks, stack('payments-DEV')].flatMap((other) => [
    [deploymentRole, changes, other],
    [deploymentRole, 'cloudformation:CreateChangeSet', other, with_(executionRole.arn)],
  ]),
});

fact('the deployment role passes the execution role of its stage to CloudFormation only', {
  allowed: [[deploymentRole, 'iam:PassRole', executionRole.arn, passedTo('cloudformation.amazonaws.com')]],
  denied: [
    [deploymentRole, 'iam:PassRole', executionRole.arn, passedTo('lambda.amazonaws.com')],
    [deploymentRole, 'iam:PassRole', executionRole.arn],
    [deploymentRole, 'iam:PassRole', prod.execution.ExecutionRole.Arn, passedTo('cloudformation.amazonaws.com')],
    [deploymentRole, 'iam:PassRole', functionRole, passedTo('cloudformation.amazonaws.com')],
  ],
});

const production = role(prod.deployment.DeploymentRole);
fact('no stack is deleted by the pipeline', {
  allowed: [
    [administrator(deploymentRole.arn), 'cloudformation:DeleteStack', own],
    [production, 'cloudformation:ExecuteChangeSet', stack('product-catalog-service-PROD')],
  ],
  denied: [
    [deploymentRole, 'cloudformation:DeleteStack', own],
    [production, 'cloudformation:DeleteStack', stack('product-catalog-service-PROD')],
  ],
});

const openBucket = opensTo('s3:*', { Resource: '*' });
fact('packages go to the deployment bucket of this account, and to this stage', {
  allowed: buckets.map((of) => [deploymentRole, 's3:PutObject', upload(of)]),
  denied: [
    [deploymentRole, 's3:PutObject', upload('arn:aws:s3:::payments-dev-serverlessdeploymentbucket-1abc')],
    [deploymentRole, 's3:PutObject', upload(bucket, 'PROD')],
    [deploymentRole, 's3:PutObject', upload(bucket), { owner: THIRD, policy: openBucket }],
    [deploymentRole, 's3:ListBucket', bucket, { owner: THIRD, policy: openBucket }],
    [deploymentRole, 's3:ListBucket', 'arn:aws:s3:::payments-dev-serverlessdeploymentbucket-1abc'],
    [deploymentRole, 's3:PutBucketPolicy', bucket],
  ],
});

fact('the deployment role makes nothing by itself', {
  allowed: [[deploymentRole, 'lambda:GetFunction', lambda('product-catalog-service-DEV-create')]],
  denied: [
    [deploymentRole, 'lambda:UpdateFunctionCode', lambda('product-catalog-service-DEV-create')],
    [deploymentRole, 'lambda:GetFunction', lambda('product-catalog-service-PROD-create')],
    [deploymentRole, 'dynamodb:GetItem', table('PRODUCT_CATALOG')],
    [deploymentRole, 'iam:CreateRole', functionRole, withinBoundary],
    [deploymentRole, 'apigateway:PATCH', api('/restapis/a1b2c3/stages/DEV')],
    [deploymentRole, 'apigateway:GET', api('/restapis')],
  ],
});

// The evaluator takes an API's id for a type of resources, in which a wildcard stands for itself only.
const call = (route, stage = 'DEV') => `arn:aws:execute-api:${REGION}:${TARGET}:*/${stage}/${route}`;
const keyOf = (stage) => ({ context: { 'aws:ResourceTag/product-catalog-service': stage } });
fact('the deployment role tries the API of its stage, with the key of its stage', {
  allowed: [
    [deploymentRole, 'execute-api:Invoke', call('POST/product/create')],
    [deploymentRole, 'execute-api:Invoke', call('GET/product/find/smoke-test')],
    [deploymentRole, 'apigateway:GET', api('/apikeys/k1'), keyOf('DEV')],
  ],
  denied: [
    [deploymentRole, 'execute-api:Invoke', call('POST/product/create', 'PROD')],
    [deploymentRole, 'execute-api:Invoke', call('GET/product/find/smoke-test', 'PROD')],
    [deploymentRole, 'execute-api:Invoke', call('GET/product/find/1001')],
    [deploymentRole, 'apigateway:GET', api('/apikeys/k1'), keyOf('PROD')],
    [deploymentRole, 'apigateway:GET', api('/apikeys/k1')],
    [deploymentRole, 'apigateway:GET', api('/apikeys'), keyOf('DEV')],
  ],
});

// What osls 4.3.1 calls when it deploys, in its order.
const oslsCalls = [
  ['cloudformation:DescribeStacks', own],
  ['cloudformation:CreateChangeSet', own, with_(executionRole.arn)],
  ['iam:PassRole', executionRole.arn, passedTo('cloudformation.amazonaws.com')],
  ['cloudformation:TagResource', own],
  ['cloudformation:DescribeChangeSet', own],
  ['cloudformation:ExecuteChangeSet', own],
  ['cloudformation:DescribeStackEvents', own],
  ['cloudformation:DescribeStackResource', own],
  ['s3:ListBucket', bucket],
  ['s3:GetObject', upload(bucket)],
  ['lambda:GetFunction', lambda('product-catalog-service-DEV-create')],
  ['s3:PutObject', upload(bucket)],
  ['s3:AbortMultipartUpload', upload(bucket)],
  ['cloudformation:ValidateTemplate', '*'],
  ['cloudformation:DeleteChangeSet', own],
  ['cloudformation:ListStackResources', own],
  ['s3:DeleteObject', upload(bucket)],
];
// No stage is named where a template is looked at and in the bucket's name.
const ofTheStage = ([, resource]) => resource.includes('DEV');
fact('the deployment role may make every call of a deploy, and that of production none for DEV', {
  allowed: oslsCalls.map((call) => [deploymentRole, ...call]),
  denied: oslsCalls.filter(ofTheStage).map((call) => [production, ...call]),
});

// ---- The tools account --------------------------------------------------------------------------

const openToAll = { policy: opensTo('sts:AssumeRole') };
fact('the build assumes no role, even one that trusts everybody; the deployment exactly one', {
  allowed: [assumes(deployRole, openToAll)],
  denied: [
    assumes(buildRole, openToAll),
    assumes(buildRole, { ...openToAll, resource: iam('administrators') }),
    assumes(pipelineRole, openToAll),
    assumes(pushRole, openToAll),
    assumes(deployRole, { ...openToAll, resource: iam('administrators') }),
    assumes(deployRole, { ...openToAll, resource: prod.deployment.DeploymentRole.Arn }),
    assumes(deployRole, { ...openToAll, resource: executionRole.arn }),
  ],
});

const codebuild = (name) => `arn:aws:codebuild:${REGION}:${TOOLS}:project/product-catalog-service-${name}`;
const codepipeline = (name) => `arn:aws:codepipeline:${REGION}:${TOOLS}:product-catalog-service-${name}`;
const rule = (name) => `arn:aws:events:${REGION}:${TOOLS}:rule/product-catalog-service-${name}`;
for (const [what, made, principalOf, source, other] of [
  ['pipeline', PipelineRole, 'codepipeline.amazonaws.com', codepipeline('DEV'), codepipeline('PROD')],
  ['build project', BuildRole, 'codebuild.amazonaws.com', codebuild('DEV-build'), codebuild('DEV-deploy')],
  ['deploy project', DeployRole, 'codebuild.amazonaws.com', codebuild('DEV-deploy'), codebuild('DEV-build')],
  ['push rule', PushRole, 'events.amazonaws.com', rule('DEV-push'), rule('PROD-push')],
]) {
  const works = (name, arn, account) => {
    const context = { 'aws:SourceArn': arn, 'aws:SourceAccount': account };
    const asked = { owner: TOOLS, policy: made.AssumeRolePolicyDocument, context };
    return [service(name), 'sts:AssumeRole', made.Arn, asked];
  };
  fact(`only the ${what} works with its role`, {
    allowed: [works(principalOf, source, TOOLS)],
    denied: [
      works(principalOf, other, TOOLS),
      works(principalOf, source, THIRD),
      works('lambda.amazonaws.com', source, TOOLS),
    ],
  });
}

const repository = (name) => `arn:aws:codecommit:${REGION}:${TOOLS}:${name}`;
const connection = `arn:aws:codeconnections:${REGION}:${TOOLS}:connection/7f3a`;
const olderConnection = connection.replace('codeconnections', 'codestar-connections');
const [connected, older] = [connection, olderConnection].map((ConnectionArn) =>
  role(pipeline({ ConnectionArn, FullRepositoryId: 'owner/product-catalog' }).PipelineRole),
);
const fetches = ['GetBranch', 'GetCommit', 'UploadArchive', 'GetUploadArchiveStatus', 'CancelUploadArchive'].map(
  (action) => `codecommit:${action}`,
);
fact('the pipeline fetches its source from one repository', {
  allowed: [
    [pipelineRole, fetches, repository('product-catalog-service')],
    [connected, 'codeconnections:UseConnection', connection],
    [older, 'codestar-connections:UseConnection', olderConnection],
  ],
  denied: [
    [pipelineRole, 'codecommit:GetCommit', repository('payments')],
    [pipelineRole, 'codecommit:GitPush', repository('product-catalog-service')],
    [pipelineRole, 'codeconnections:UseConnection', connection],
    [connected, 'codeconnections:UseConnection', `${connection}b`],
    [connected, 'codecommit:GetCommit', repository('product-catalog-service')],
  ],
});

fact('the pipeline runs its own two projects and passes no role', {
  allowed: [
    [pipelineRole, ['codebuild:StartBuild', 'codebuild:BatchGetBuilds'], codebuild('DEV-build')],
    [pipelineRole, ['codebuild:StartBuild', 'codebuild:BatchGetBuilds'], codebuild('DEV-deploy')],
  ],
  denied: [
    [pipelineRole, 'codebuild:StartBuild', codebuild('PROD-deploy')],
    [pipelineRole, 'codebuild:UpdateProject', codebuild('DEV-build')],
    [pipelineRole, 'iam:PassRole', DeployRole.Arn, passedTo('codebuild.amazonaws.com')],
  ],
});

fact('a push starts this pipeline only', {
  allowed: [[pushRole, 'codepipeline:StartPipelineExecution', codepipeline('DEV')]],
  denied: [[pushRole, 'codepipeline:StartPipelineExecution', codepipeline('PROD')]],
});

const { ArtifactBucket, ArtifactBucketPolicy, Key } = dev.pipeline;
const artifact = `${ArtifactBucket.Arn}/product-catalog-serv/Package/x1y2z3`;
const hands = (who) => [
  [who, ['s3:GetObject', 's3:GetObjectVersion', 's3:PutObject'], artifact],
  [who, 's3:GetBucketLocation', ArtifactBucket.Arn],
  [who, ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'], Key.Arn, { policy: Key.KeyPolicy }],
];
fact('the three roles hand on artifacts, in one bucket and with one key', {
  allowed: [pipelineRole, buildRole, deployRole].flatMap(hands),
  denied: [pipelineRole, buildRole, deployRole].flatMap((who) => [
    [who, 's3:GetObject', 'arn:aws:s3:::another-bucket/x'],
    [who, 's3:DeleteObject', artifact],
    [who, 's3:DeleteObjectVersion', artifact],
    [who, 's3:PutBucketPolicy', ArtifactBucket.Arn],
    [who, 'kms:Decrypt', `${Key.Arn}-2`, { policy: Key.KeyPolicy }],
    [who, 'kms:PutKeyPolicy', Key.Arn, { policy: Key.KeyPolicy }],
  ]),
});

// The evaluator knows no encryption context; another key that holds an ARN stands for it.
const keyPolicy = JSON.parse(
  JSON.stringify(Key.KeyPolicy).replace('kms:EncryptionContext:aws:logs:arn', 'aws:SourceArn'),
);
const logsService = service(`logs.${REGION}.amazonaws.com`);
const encrypts = [
  ...['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyWithoutPlaintext'],
  ...['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
];
const encryptsLogs = (account, name) => {
  const context = { 'aws:SourceArn': `arn:aws:logs:${REGION}:${account}:log-group:/aws/codebuild/${name}` };
  return [logsService, encrypts, Key.Arn, { owner: TOOLS, policy: keyPolicy, context }];
};
fact('CloudWatch encrypts the logs of the two projects with the key, and no other log', {
  allowed: [encryptsLogs(TOOLS, 'product-catalog-service-DEV-build')],
  denied: [encryptsLogs(THIRD, 'product-catalog-service-DEV-build'), encryptsLogs(TOOLS, 'payments')],
});

// What CloudFormation's schema of AWS::KMS::Key needs of an existing key, and the way back.
const keyKeeping = [
  ...['CancelKeyDeletion', 'DescribeKey', 'DisableKey', 'DisableKeyRotation', 'EnableKey', 'EnableKeyRotation'],
  ...['GetKeyPolicy', 'GetKeyRotationStatus', 'ListResourceTags', 'PutKeyPolicy', 'ScheduleKeyDeletion'],
  ...['TagResource', 'UntagResource', 'UpdateKeyDescription'],
].map((action) => `kms:${action}`);
const keeps = (who) => [who, keyKeeping, Key.Arn, { owner: TOOLS, policy: Key.KeyPolicy }];
fact('the key is kept by the administrators of its own account', {
  allowed: [keeps(administrator(iam('administrators', TOOLS)))],
  denied: [keeps(administrator(iam('administrators', TARGET))), keeps(administrator(iam('administrators', THIRD)))],
});

const anyone = administrator(iam('administrators', TOOLS));
const overTls = (yes) => ({
  policy: ArtifactBucketPolicy.PolicyDocument,
  context: { 'aws:SecureTransport': `${yes}` },
});
fact('nothing is done in the artifact bucket without TLS', {
  allowed: [
    [anyone, 's3:GetObject', artifact, overTls(true)],
    [anyone, 's3:ListBucket', ArtifactBucket.Arn, overTls(true)],
  ],
  denied: [
    [anyone, 's3:GetObject', artifact, overTls(false)],
    [anyone, 's3:ListBucket', ArtifactBucket.Arn, overTls(false)],
  ],
});

const buildLogs = (name) =>
  `arn:aws:logs:${REGION}:${TOOLS}:log-group:/aws/codebuild/product-catalog-service-DEV-${name}:log-stream:1`;
const writes = (who, name) => [who, ['logs:CreateLogStream', 'logs:PutLogEvents'], buildLogs(name)];
fact('each project writes its own log', {
  allowed: [writes(buildRole, 'build'), writes(deployRole, 'deploy')],
  denied: [writes(buildRole, 'deploy'), writes(deployRole, 'build')],
});

// ---- What CloudFormation's own schemas say it needs ---------------------------------------------

const schemas = (() => {
  const lib = new URL('../../.venv/lib/', import.meta.url);
  const [python] = readdirSync(lib).filter((name) => name.startsWith('python'));
  return new URL(`${python}/site-packages/cfnlint/data/schemas/`, lib);
})();
const json = (path) => JSON.parse(readFileSync(new URL(path, schemas), 'utf8'));
const schemaOf = json('providers/us-east-1.json');

const pathOfTags = api('/tags/arn%3Aaws%3Aapigateway%3Aeu-central-1%3A%3A%2Frestapis%2Fa1b2c3');
// API Gateway's PUT changes what belongs to a REST API, and the tags of everything else.
const gateway = (collection, item) => (action) => {
  if (action === 'apigateway:POST') return api(collection);
  return action === 'apigateway:PUT' && !item.startsWith('/restapis') ? pathOfTags : api(item);
};
const always = (arn) => () => arn;

// Each resource type that the stack has, or may have soon: the ARN that its own service is asked for.
const stackResources = {
  'AWS::ApiGateway::ApiKey': gateway('/apikeys', '/apikeys/k1'),
  'AWS::ApiGateway::Deployment': gateway('/restapis/a1b2c3/deployments', '/restapis/a1b2c3/deployments/d1'),
  'AWS::ApiGateway::GatewayResponse': gateway(
    '/restapis/a1b2c3/gatewayresponses',
    '/restapis/a1b2c3/gatewayresponses/DEFAULT_4XX',
  ),
  'AWS::ApiGateway::Method': gateway(
    '/restapis/a1b2c3/resources/r1/methods',
    '/restapis/a1b2c3/resources/r1/methods/POST',
  ),
  'AWS::ApiGateway::Resource': gateway('/restapis/a1b2c3/resources/r1', '/restapis/a1b2c3/resources/r1'),
  'AWS::ApiGateway::RestApi': gateway('/restapis', '/restapis/a1b2c3'),
  'AWS::ApiGateway::Stage': gateway('/restapis/a1b2c3/stages', '/restapis/a1b2c3/stages/DEV'),
  'AWS::ApiGateway::UsagePlan': gateway('/usageplans', '/usageplans/p1'),
  'AWS::ApiGateway::UsagePlanKey': gateway('/usageplans/p1/keys', '/usageplans/p1/keys/k1'),
  'AWS::CloudWatch::Alarm': always(alarm('product-catalog-service-DEV-errors')),
  'AWS::CloudWatch::Dashboard': always(dashboard('product-catalog-service-DEV')),
  'AWS::DynamoDB::Table': always(table('PRODUCT_CATALOG')),
  'AWS::IAM::Role': always(functionRole),
  'AWS::Lambda::Function': always(lambda('product-catalog-service-DEV-create')),
  'AWS::Lambda::Permission': always(lambda('product-catalog-service-DEV-create')),
  'AWS::Logs::LogGroup': always(logGroup('/aws/lambda/product-catalog-service-DEV-create')),
  'AWS::S3::Bucket': always(bucket),
  'AWS::S3::BucketPolicy': always(bucket),
  'AWS::SNS::Topic': always(topic('product-catalog-service-DEV-alarms')),
  'AWS::SNS::TopicPolicy': always(topic('product-catalog-service-DEV-alarms')),
};

// What the schemas list for properties that this stack does not set.
const notNeeded = [
  [/^(ec2|elasticfilesystem|s3files):/, 'no function is in a VPC or mounts a file system'],
  [/^kms:/, 'the one key, of the alarms, is not in the stack'],
  [
    /^lambda:(((Put|Delete)Function|Get)CodeSigningConfig|PassCapacityProvider|AssociateRuntimeAlias|GetLayerVersion)$/,
    'no signed code, capacity provider or layer',
  ],
  [
    /^lambda:Put(FunctionRecursionConfig|FunctionScalingConfig|RuntimeManagementConfig)$/,
    'recursion, scaling and runtime updates stay as they are',
  ],
  [/^lambda:PublishVersion$/, 'functions have no versions'],
  [/^iam:(Attach|Detach)RolePolicy$/, 'roles have inline policies only'],
  [/^iam:DeleteRolePermissionsBoundary$/, 'the boundary stays'],
  [/^apigateway:UpdateRestApiPolicy$/, 'the API has no resource policy'],
  [/^iam:(PassRole|GetRole)$/, 'API Gateway, S3 and SNS are given no role', /^AWS::(ApiGateway|S3|SNS)::/],
  [/^s3:GetObject$/, 'the API is not imported from a file', /^AWS::ApiGateway::/],
  [
    /^(kinesis:.*|iam:CreateServiceLinkedRole|dynamodb:(DescribeImport|ImportTable|(Enable|Disable|Update)KinesisStreamingDestination|(Create|Associate)TableReplica))$/,
    'the table has no import, stream or replica',
    /^AWS::DynamoDB::/,
  ],
  [
    /^dynamodb:(UpdateContributorInsights|UpdateTimeToLive|(Put|Delete)ResourcePolicy)$/,
    'the table has no insights, expiry or policy',
  ],
  [
    /^(dynamodb:(Scan|Query|(Update|Put|Get|Delete|BatchWrite)Item)|logs:.*|s3:.*)$/,
    'only imports and replicas touch items, logs and files',
    /^AWS::DynamoDB::/,
  ],
  [
    /^logs:((Put|Delete)(DataProtectionPolicy|ResourcePolicy|IndexPolicy)|PutBearerTokenAuthentication|PutLogGroupDeletionProtection|CreateLogDelivery|(Associate|Disassociate)KmsKey)$/,
    'log groups have a retention and nothing more',
    /^AWS::Logs::/,
  ],
  [/^(s3:REST.PUT.OBJECT|firehose:TagDeliveryStream)$/, 'logs go nowhere else', /^AWS::Logs::/],
  [/^(s3tables:.*|s3:(Create|Delete|Update)BucketMetadata.*)$/, 'the bucket has no metadata tables'],
  [
    /^s3:(Put|Delete)(Bucket)?(Abac|Acl|AccelerateConfiguration|AnalyticsConfiguration|Cors|CORS|Encryption|IntelligentTieringConfiguration|InventoryConfiguration|Lifecycle|Logging|MetricsConfiguration|Notification|ObjectLockConfiguration|Replication|ReplicationConfiguration|Website)$/,
    'the bucket has encryption, a policy, versions and a lifecycle, and keeps them',
  ],
  [/^s3:DeleteBucketTagging$/, 'IAM has no such action: tags are deleted with s3:PutBucketTagging'],
  [/^s3:(PutObjectAcl|GetBucketAcl|DeleteObject)$/, 'the bucket has no ACL, and osls empties it', /^AWS::S3::/],
  [/^sns:PutDataProtectionPolicy$/, 'topics carry alarms, no personal data'],
];

test('the execution role may do what CloudFormation needs for every resource of the stack', async () => {
  const used = new Set();
  const missing = [];
  for (const [type, arnFor] of Object.entries(stackResources)) {
    const { handlers = {}, tagging } = json(`resources/${schemaOf[type]}.json`);
    assert.ok(handlers.create?.permissions.length, `${type} says what it needs`);
    // `list` belongs to imports and to Cloud Control, not to a deploy.
    const listed = ['create', 'read', 'update', 'delete'].flatMap((name) => handlers[name]?.permissions ?? []);
    // osls tags the stack, and CloudFormation all that is in it.
    const needed = new Set([...listed, ...(tagging?.permissions ?? [])]);
    for (const action of needed) {
      const excuse = notNeeded.find(([pattern, , types]) => pattern.test(action) && (!types || types.test(type)));
      if (excuse) {
        used.add(excuse);
        continue;
      }
      const question = await (async () => {
        if (await isWildcardOnlyAction(...action.split(':'))) return ['*'];
        if (action === 'iam:PassRole') return [functionRole, passedTo('lambda.amazonaws.com')];
        if (action.startsWith('s3:GetObject')) return [upload(bucket)];
        if (/^iam:(Create|Put|UpdateAssume|DeleteRolePolicy)/.test(action)) return [functionRole, withinBoundary];
        return [arnFor(action)];
      })();
      if (!(await may(executionRole, action, ...question))) missing.push(`${type}: ${action} on ${question[0]}`);
    }
  }
  assert.deepEqual(missing, []);
  const unused = notNeeded.filter((excuse) => !used.has(excuse));
  assert.deepEqual(unused, [], 'excuses that nothing needs');
});

test('a template that uses a service which the execution role lacks is noticed', async () => {
  assert.ok(await may(executionRole, 'sns:CreateTopic', stackResources['AWS::SNS::Topic']()));
  const queue = `arn:aws:sqs:${REGION}:${TARGET}:product-catalog-service-DEV-dead`;
  assert.ok(!(await may(executionRole, 'sqs:CreateQueue', queue)));
});

// ---- How the templates are written --------------------------------------------------------------

const everyStack = [dev, prod]
  .flatMap((stage) => Object.values(stage))
  .concat(
    pipeline({ ConnectionArn: connection, FullRepositoryId: 'owner/product-catalog' }),
    deployment({ OrganizationID: ORGANIZATION }),
    execution({ ManageApiGatewayAccount: 'false' }),
  );
const documents = (made) =>
  [made.AssumeRolePolicyDocument, made.PolicyDocument, made.KeyPolicy, ...inline(made)].filter(Boolean);
const statements = everyStack
  .flatMap((made) => Object.values(made).flatMap(documents))
  .flatMap(({ Statement }) => Statement);

test('no statement allows an action with a wildcard, and every one says in its Sid what it is for', () => {
  assert.ok(statements.length > 50);
  for (const { Sid, Effect, Action } of statements) {
    assert.match(Sid, /^([A-Z][a-z]*){3,}$/);
    if (Effect === 'Allow') for (const action of list(Action)) assert.ok(!action.includes('*'), `${Sid}: ${action}`);
  }
});

test('every "*" has its reason beside it', () => {
  for (const path of templates) {
    const lines = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').split('\n');
    const wild = lines.filter((line) => /(Resource|Action): "?(\*|[a-z0-9]+:\*)"?( |$)/.test(line));
    assert.ok(path === 'pipeline/pipeline.yml' ? wild.length === 4 : wild.length > 0, path);
    for (const line of wild) assert.match(line, /\* ?"? # \w/, `${path}: ${line}`);
  }
});

test('no role trusts an account', () => {
  const roles = everyStack.flatMap((made) => Object.values(made)).filter(({ Type }) => Type === 'AWS::IAM::Role');
  assert.ok(roles.length >= 12);
  for (const { AssumeRolePolicyDocument } of roles) {
    for (const { Principal } of AssumeRolePolicyDocument.Statement) {
      const { AWS, Service, ...others } = Principal;
      assert.deepEqual(others, {});
      assert.match(AWS ?? Service, AWS ? /^arn:aws:iam::\d{12}:role\/[\w-]+$/ : /^[a-z]+\.amazonaws\.com$/);
    }
  }
});

test('every policy fits in what IAM takes', () => {
  const size = (policy) => JSON.stringify(policy).length;
  for (const made of everyStack) {
    for (const { Type, Policies = [], AssumeRolePolicyDocument, PolicyDocument } of Object.values(made)) {
      if (Type === 'AWS::IAM::Role') {
        assert.ok(size(AssumeRolePolicyDocument) <= 2048);
        assert.ok(Policies.reduce((sum, policy) => sum + size(policy.PolicyDocument), 0) <= 10240);
      }
      if (Type === 'AWS::IAM::ManagedPolicy') assert.ok(size(PolicyDocument) <= 6144);
    }
  }
});

test('every parameter checks itself, and every output describes itself', () => {
  for (const path of templates) {
    const { Parameters, Outputs } = read(path);
    for (const [name, parameter] of Object.entries(Parameters)) {
      const { Description, AllowedPattern, AllowedValues, ConstraintDescription } = parameter;
      assert.ok(Description && ConstraintDescription && (AllowedPattern || AllowedValues), `${path}: ${name}`);
    }
    for (const [name, { Description }] of Object.entries(Outputs)) assert.ok(Description, `${path}: ${name}`);
  }
});

test('a parameter that two templates share is the same in both', () => {
  const [one, two, three] = templates.map((path) => read(path).Parameters);
  const ofRoles = ['CFExecutionRoleName', 'DeploymentEnvironment'];
  for (const [left, right, shared] of [
    [one, two, [...ofRoles, 'CodePipelineAssumeRoleName', 'DeployRoleName', 'ExternalId']],
    [two, three, ofRoles],
  ]) {
    const inBoth = Object.keys(left).filter((name) => name in right);
    assert.deepEqual(inBoth.sort(), shared.toSorted());
    for (const name of shared) {
      for (const rule of ['Default', 'AllowedPattern', 'AllowedValues']) {
        assert.deepEqual(left[name][rule], right[name][rule], `${name}: ${rule}`);
      }
    }
  }
});

test('two pipelines, and the roles of two stages, share no name', () => {
  const names = (made) =>
    Object.values(made)
      .flatMap((each) => [each.Name, each.RoleName, each.LogGroupName, each.ManagedPolicyName, each.AliasName])
      .filter(Boolean);
  for (const part of Object.keys(dev)) {
    assert.ok(names(dev[part]).length > 0, part);
    const shared = names(dev[part]).filter((name) => names(prod[part]).includes(name));
    assert.deepEqual(shared, [], part);
  }
});

test('the projects are told what the target account calls its roles', () => {
  const told = ({ Environment }, name) => Environment.EnvironmentVariables.find(({ Name }) => Name === name)?.Value;
  for (const { pipeline, execution, deployment } of [dev, prod]) {
    assert.equal(told(pipeline.BuildProject, 'CF_EXECUTION_ROLE'), execution.ExecutionRole.Arn);
    assert.equal(told(pipeline.DeployProject, 'CROSS_ACCOUNT_ROLE'), deployment.DeploymentRole.Arn);
    assert.equal(told(pipeline.DeployProject, 'EXTERNAL_ID'), EXTERNAL_ID);
  }
});
