// The deployment role: what the pipeline can do in the target account.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ACCOUNTS,
  administrator,
  api,
  assumes,
  bucket,
  buckets,
  buildRole,
  deployment,
  deploymentRole,
  deployRole,
  dev,
  EXTERNAL_ID,
  executionRole,
  fact,
  functionRole,
  iam,
  lambda,
  may,
  ORGANIZATION,
  opensTo,
  passedTo,
  pipeline,
  prod,
  REGION,
  role,
  several,
  stack,
  stages,
  TARGET,
  THIRD,
  TOOLS,
  table,
  testRole,
  trust,
  upload,
  withinBoundary,
} from './evaluator.mjs';

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

const { TestRole } = dev.deployment;
const tests = (who, asked) =>
  assumes(who, { policy: TestRole.AssumeRolePolicyDocument, resource: TestRole.Arn, ...asked });
const organized = deployment({ OrganizationID: ORGANIZATION }).TestRole.AssumeRolePolicyDocument;
fact("the test role is assumed by the pipeline's test role with its external id, and by nobody else", {
  allowed: [tests(testRole), tests(testRole, { policy: organized })],
  denied: [
    tests(administrator(testRole.arn), { externalId: 'somebody-elses' }),
    tests(testRole, { policy: organized, organization: 'o-zzzzzzzzzz' }),
    tests(administrator(deployRole.arn)),
    tests(administrator(buildRole.arn)),
    tests(administrator(iam('administrators', TOOLS))),
    tests(administrator(iam('product-catalog-service-PROD-test', TOOLS))),
    tests(administrator(iam('product-catalog-service-DEV-test', THIRD))),
    tests(administrator(iam('administrators', TARGET))),
    assumes(administrator(testRole.arn)),
  ],
});

/** A stage's roles in the tools account, and the roles in its own account that trust them with this external id. */
const pairs = ({ DeployRole, TestRole, target }, externalId) =>
  [
    [DeployRole, target.DeploymentRole],
    [TestRole, target.TestRole],
  ].map(([who, { Arn, AssumeRolePolicyDocument }]) =>
    assumes(role(who), { policy: AssumeRolePolicyDocument, resource: Arn, externalId }),
  );
fact("with several stages, each stage's external id is its own", {
  allowed: Object.entries(stages).flatMap(([stage, made]) => pairs(made, `${EXTERNAL_ID}-${stage}`)),
  denied: Object.values(stages).flatMap((made) => [
    ...pairs(made, EXTERNAL_ID),
    // The roles of every other stage, even if their policies allowed them everything.
    ...Object.values(stages)
      .filter((other) => other !== made)
      .flatMap((other) =>
        pairs({ ...other, target: made.target }, `${EXTERNAL_ID}-PROD`).map(([who, ...asked]) => [
          administrator(who.arn),
          ...asked,
        ]),
      ),
  ]),
});

const own = stack('product-catalog-service-DEV');
const with_ = (arn, context = {}) => ({ context: { 'cloudformation:RoleArn': arn, ...context } });
const importing = (...types) => with_(executionRole.arn, { 'cloudformation:ImportResourceTypes': types });
fact('a change set carries the execution role', {
  allowed: [[deploymentRole, 'cloudformation:CreateChangeSet', own, with_(executionRole.arn)]],
  denied: [
    [deploymentRole, 'cloudformation:CreateChangeSet', own],
    [deploymentRole, 'cloudformation:CreateChangeSet', own, with_(iam('administrators'))],
    [deploymentRole, 'cloudformation:CreateChangeSet', own, importing('AWS::ApiGateway::ApiKey')],
    [deploymentRole, 'cloudformation:CreateChangeSet', own, importing('AWS::DynamoDB::Table', 'AWS::S3::Bucket')],
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

// The evaluator treats an API's id as a type of resource, where a wildcard is literal.
const call = (route, stage = 'DEV') => `arn:aws:execute-api:${REGION}:${TARGET}:*/${stage}/${route}`;
const keyOf = (stack) => ({ context: { 'aws:ResourceTag/Stack': `product-catalog-service-${stack}` } });
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

// With two wildcards, the evaluator allows every route, so the first one is replaced by an API's id.
const ofOneApi = (who) => JSON.parse(JSON.stringify(who).replaceAll(':*/', ':a1b2c3/'));
const testing = ofOneApi(role(TestRole));
const testingProduction = ofOneApi(role(stages.PROD.target.TestRole));
const calls = (who, route, stage, account = TARGET) => [
  who,
  'execute-api:Invoke',
  `arn:aws:execute-api:${REGION}:${account}:a1b2c3/${stage}/${route}`,
];
fact('the test role calls the API of its stage and can do nothing else', {
  allowed: [
    calls(testing, 'POST/product/create', 'DEV'),
    calls(testing, 'GET/product/find/1001', 'DEV'),
    calls(testingProduction, 'POST/product/create', 'PROD', ACCOUNTS.PROD),
    calls(testingProduction, 'GET/product/find/smoke-test', 'PROD', ACCOUNTS.PROD),
  ],
  denied: [
    calls(testing, 'POST/product/create', 'PROD'),
    calls(testing, 'GET/product/find/1001', 'PROD'),
    calls(testing, 'POST/product/create', 'DEV', THIRD),
    calls(testing, 'DELETE/product/find/1001', 'DEV'),
    calls(testingProduction, 'GET/product/find/1001', 'PROD', ACCOUNTS.PROD),
    calls(testingProduction, 'POST/product/create', 'DEV', ACCOUNTS.PROD),
    [testing, 'apigateway:GET', api('/apikeys/k1'), keyOf('DEV')],
    [testing, 'cloudformation:DescribeStacks', own],
    [testing, 'dynamodb:GetItem', table('PRODUCT_CATALOG')],
    [testing, 'lambda:GetFunction', lambda('product-catalog-service-DEV-create')],
    [testing, 's3:GetObject', upload(bucket)],
  ],
});

// The calls of scripts/plan.sh with PROD's deploy role, for the change set that someone approves.
const planned = ['DescribeStacks', 'DescribeChangeSet', 'DeleteChangeSet'].map((action) => `cloudformation:${action}`);
const productionStack = stack('product-catalog-service-PROD');
fact("the plan of PROD is made with PROD's role, and DEV's cannot make it", {
  allowed: [
    [production, planned, productionStack],
    [production, 'cloudformation:CreateChangeSet', productionStack, with_(prod.execution.ExecutionRole.Arn)],
    [production, 'lambda:GetFunction', lambda('product-catalog-service-PROD-create')],
  ],
  denied: [
    [deploymentRole, planned, productionStack],
    [deploymentRole, 'cloudformation:CreateChangeSet', productionStack, with_(prod.execution.ExecutionRole.Arn)],
    [production, 'cloudformation:CreateChangeSet', productionStack, with_(executionRole.arn)],
    [production, 'cloudformation:UpdateStack', productionStack, with_(prod.execution.ExecutionRole.Arn)],
  ],
});

test("the action Plan runs PROD's deploy project", () => {
  const [plan] = several.Pipeline.Stages.find(({ Name }) => Name === 'Approval').Actions;
  assert.equal(plan.Configuration.ProjectName, stages.PROD.DeployProject.Name);
  assert.equal(stages.PROD.DeployProject.ServiceRole, stages.PROD.DeployRole.Arn);
});

// The calls of osls 4.3.1 during a deployment, in order.
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
// Validating a template, and the bucket's name, do not involve the stage.
const ofTheStage = ([, resource]) => resource.includes('DEV');
fact('the deployment role may make every call of a deploy, and that of production none for DEV', {
  allowed: oslsCalls.map((call) => [deploymentRole, ...call]),
  denied: oslsCalls.filter(ofTheStage).map((call) => [production, ...call]),
});
