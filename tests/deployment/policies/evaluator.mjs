// The roles of a pipeline for DEV, one for PROD, and one for all three stages, and an offline policy evaluator that
// decides what they can do. Every denial is paired with an allowed request that differs in one thing, so that a misread
// policy cannot pass as a denial.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSimulation, runUnsafeSimulation } from '@cloud-copilot/iam-simulate';
import { resources } from '../template.mjs';

export const TOOLS = '111111111111';
export const TARGET = '222222222222';
export const THIRD = '333333333333';
/** The accounts of a pipeline with several stages. */
export const ACCOUNTS = { DEV: TARGET, STAGE: '555555555555', PROD: '444444444444' };
export const REGION = 'eu-central-1';
export const EXTERNAL_ID = 'product-catalog-7f3a';
export const ORGANIZATION = 'o-a1b2c3d4e5';

export const templates = [
  'pipeline/pipeline.yml',
  'target-roles/deployment-role.yml',
  'target-roles/execution-role.yml',
  'pipeline/delivery.yml',
];

export const pipeline = (parameters = {}) =>
  resources('pipeline/pipeline.yml', {
    account: TOOLS,
    region: REGION,
    parameters: { TargetAccountID: TARGET, ExternalId: EXTERNAL_ID, ...parameters },
  });
/** A pipeline with several stages. */
export const promotion = (parameters = {}) =>
  pipeline({
    TargetAccountID: '',
    DevAccountID: ACCOUNTS.DEV,
    StageAccountID: ACCOUNTS.STAGE,
    ProdAccountID: ACCOUNTS.PROD,
    ...parameters,
  });
export const delivery = (parameters = {}) =>
  resources('pipeline/delivery.yml', { account: TOOLS, region: REGION, parameters });
export const deployment = (parameters = {}, account = TARGET) =>
  resources('target-roles/deployment-role.yml', {
    account,
    region: REGION,
    parameters: { ToolsAccountID: TOOLS, ExternalId: EXTERNAL_ID, ...parameters },
  });
export const execution = (parameters = {}) =>
  resources('target-roles/execution-role.yml', { account: TARGET, region: REGION, parameters });

/** A principal with these policies; a role from a template has its own. */
export const principal = (arn, policies) => ({
  arn,
  policies: policies.map((policy, i) => ({ name: `${i}`, policy })),
});
export const inline = ({ Policies = [] }) => Policies.map(({ PolicyDocument }) => PolicyDocument);
export const role = (made) => principal(made.Arn, [...inline(made), ...(made.Attached ?? [])]);
/** The same, within a permissions boundary. */
export const within = ({ PolicyDocument }, who) => ({ ...who, boundary: PolicyDocument });
export const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
export const administrator = (arn) => principal(arn, [everything]);
export const alsoAdministrator = ({ arn, policies }) => ({
  arn,
  policies: [...policies, { name: 'everything', policy: everything }],
});
export const opensTo = (action, resource) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: action, ...resource }],
});

/** Whether this principal is allowed an action. A request that the evaluator does not support is an error. */
export async function may(who, action, resource, { context = {}, owner = who.arn.split(':')[4], policy } = {}) {
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
    permissionBoundaryPolicies: who.boundary && [{ name: 'boundary', policy: who.boundary }],
    resourcePolicy: policy,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
  // The evaluator reports an error if two of its ARN formats match, such as a function's version and its alias.
  if (['apigateway:POST', 'lambda:GetProvisionedConcurrencyConfig'].includes(action))
    return runUnsafeSimulation(simulation, {}) === 'Allowed';
  const result = await runSimulation(simulation, {});
  assert.notEqual(result.resultType, 'error', `${action} on ${resource}: ${JSON.stringify(result.errors)}`);
  const ignored = Object.keys(context).filter((key) => result.result?.ignoredContextKeys?.includes(key));
  assert.deepEqual(ignored, [], `${action} knows no such condition`);
  return result.overallResult === 'Allowed';
}
export const service = (name) => principal(name, []);

export const list = (value) => [value].flat();
/** A fact with allowed and denied requests: who, one action or several, on what. */
export const fact = (name, questions) =>
  test(name, async () => {
    for (const [verdict, expected] of Object.entries({ allowed: true, denied: false })) {
      assert.ok(questions[verdict].length > 0, 'a denial needs its allowed twin');
      for (const [who, actions, resource, details] of questions[verdict]) {
        for (const action of list(actions)) {
          const allowed = await may(who, action, resource, details);
          assert.equal(allowed, expected, `must be ${verdict}: ${action} on ${resource}`);
        }
      }
    }
  });

export const dev = { execution: execution(), deployment: deployment(), pipeline: pipeline() };
export const prod = {
  execution: execution({ DeploymentEnvironment: 'PROD' }),
  deployment: deployment({ DeploymentEnvironment: 'PROD' }),
  pipeline: pipeline({ DeploymentEnvironment: 'PROD' }),
};
export const executionRole = role(dev.execution.ExecutionRole);
export const deploymentRole = role(dev.deployment.DeploymentRole);
export const { PipelineRole, BuildRole, DeployRole, PushRole, TestRole } = dev.pipeline;
export const [pipelineRole, buildRole, deployRole, pushRole] = [PipelineRole, BuildRole, DeployRole, PushRole].map(
  role,
);
export const testRole = role(TestRole);
export const several = promotion();
/** The resources of each stage in a pipeline with several stages. */
export const stages = Object.fromEntries(
  Object.entries({ DEV: '', STAGE: 'Stage', PROD: 'Prod' }).map(([stage, prefix]) => [
    stage,
    {
      ...Object.fromEntries(
        ['DeployProject', 'DeployRole', 'TestProject', 'TestRole', 'DeployLogs'].map((name) => [
          name,
          several[prefix + name],
        ]),
      ),
      target: deployment({ DeploymentEnvironment: stage, ExternalId: `${EXTERNAL_ID}-${stage}` }, ACCOUNTS[stage]),
    },
  ]),
);
export const { FunctionBoundary: boundary, CheckBoundary, TrafficBoundary } = dev.execution;

export const iam = (name, account = TARGET) => `arn:aws:iam::${account}:role/${name}`;
export const functionRole = iam('product-catalog-service-DEV-create-role');
export const checkRole = iam('product-catalog-service-DEV-check-role');
export const trafficRole = iam('product-catalog-service-DEV-traffic-role');
export const lambda = (name) => `arn:aws:lambda:${REGION}:${TARGET}:function:${name}`;
export const table = (name) => `arn:aws:dynamodb:${REGION}:${TARGET}:table/${name}`;
export const logGroup = (name) => `arn:aws:logs:${REGION}:${TARGET}:log-group:${name}`;
export const application = (name) => `arn:aws:codedeploy:${REGION}:${TARGET}:application:${name}`;
export const deploymentGroup = (name) => `arn:aws:codedeploy:${REGION}:${TARGET}:deploymentgroup:${name}`;
export const pace = (name) => `arn:aws:codedeploy:${REGION}:${TARGET}:deploymentconfig:${name}`;
export const stack = (name) => `arn:aws:cloudformation:${REGION}:${TARGET}:stack/${name}/6b3f0c5e`;
export const api = (path) => `arn:aws:apigateway:${REGION}::${path}`;
/** The condition of writing a role: with this boundary. */
export const carrying = ({ Arn }) => ({ context: { 'iam:PermissionsBoundary': Arn } });
export const withinBoundary = carrying(boundary);
export const passedTo = (name) => ({ context: { 'iam:PassedToService': name } });

// Possible names of the bucket, which CloudFormation truncates to 63 characters.
export const buckets = [
  'product-catalog-service-dev-serverlessdeploymentbu1abc2def3ghi4',
  'product-catalog-service-d-serverlessdeploymentbuck-1abc2def3ghi',
  'product-catalog-service-serverlessdeploymentbuck-1abc2def3ghi4',
].map((name) => `arn:aws:s3:::${name}`);
export const [bucket] = buckets;
export const upload = (of, stage = 'DEV') =>
  `${of}/serverless/product-catalog-service/${stage}/1700000000000-2023-11-14/create.zip`;
export const topic = (name) => `arn:aws:sns:${REGION}:${TARGET}:${name}`;
export const alarm = (name) => `arn:aws:cloudwatch:${REGION}:${TARGET}:alarm:${name}`;
export const dashboard = (name) => `arn:aws:cloudwatch::${TARGET}:dashboard/${name}`;
export const trust = dev.deployment.DeploymentRole.AssumeRolePolicyDocument;
export const assumes = (
  who,
  {
    externalId = EXTERNAL_ID,
    organization = ORGANIZATION,
    policy = trust,
    resource = deploymentRole.arn,
    owner = resource.split(':')[4],
  } = {},
) => [
  who,
  'sts:AssumeRole',
  resource,
  { owner, policy, context: { 'sts:ExternalId': externalId, 'aws:PrincipalOrgID': organization } },
];
export const connection = `arn:aws:codeconnections:${REGION}:${TOOLS}:connection/7f3a`;
