// Style rules for the templates.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { read } from '../template.mjs';
import {
  connection,
  delivery,
  deployment,
  dev,
  EXTERNAL_ID,
  execution,
  inline,
  list,
  ORGANIZATION,
  pipeline,
  prod,
  promotion,
  several,
  stages,
  templates,
} from './evaluator.mjs';

const everyStack = [dev, prod]
  .flatMap((stage) => Object.values(stage))
  .concat(
    pipeline({ ConnectionArn: connection, FullRepositoryId: 'owner/product-catalog' }),
    promotion({ ApprovalEmail: 'owner@example.com' }),
    delivery({ NotificationEmail: 'owner@example.com' }),
    deployment({ OrganizationID: ORGANIZATION }),
    execution({ ManageApiGatewayAccount: 'false', DomainName: 'catalog.example.com' }),
  );
// The policy of a log group is JSON in a string.
const parsed = (policy) => (typeof policy === 'string' ? JSON.parse(policy) : policy);
const documents = (made) =>
  [made.AssumeRolePolicyDocument, parsed(made.PolicyDocument), made.KeyPolicy, ...inline(made)].filter(Boolean);
const statements = everyStack
  .flatMap((made) => Object.values(made).flatMap(documents))
  .flatMap(({ Statement }) => Statement);

test('no statement allows an action with a wildcard, and every Sid describes its statement', () => {
  assert.ok(statements.length > 50);
  for (const { Sid, Effect, Action } of statements) {
    assert.match(Sid, /^([A-Z][a-z]*){3,}$/);
    if (Effect === 'Allow') for (const action of list(Action)) assert.ok(!action.includes('*'), `${Sid}: ${action}`);
  }
});

test('every "*" has a reason beside it', () => {
  for (const path of templates) {
    const lines = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8').split('\n');
    const wild = lines.filter((line) => /(Resource|Action): "?(\*|[a-z0-9]+:\*)"?( |$)/.test(line));
    const expected = { 'pipeline/delivery.yml': 3, 'pipeline/pipeline.yml': 4 }[path];
    assert.ok(expected ? wild.length === expected : wild.length > 0, path);
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

test('every policy fits into the limits of IAM', () => {
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

test('every parameter is validated, and every output is described', () => {
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
  const ofRoles = ['CFExecutionRoleName', 'DeploymentEnvironment', 'ServiceName'];
  for (const [left, right, shared] of [
    [one, two, [...ofRoles, 'CodePipelineAssumeRoleName', 'DeployRoleName', 'ExternalId']],
    [two, three, ofRoles],
  ]) {
    const inBoth = Object.keys(left).filter((name) => name in right);
    assert.deepEqual(inBoth.toSorted(), shared.toSorted());
    for (const name of shared) {
      for (const rule of ['Default', 'AllowedPattern', 'AllowedValues']) {
        if (name === 'ExternalId' && rule === 'AllowedPattern') continue; // The next test.
        assert.deepEqual(left[name][rule], right[name][rule], `${name}: ${rule}`);
      }
    }
  }
});

test('the external id of a stage fits the limit of IAM, and that of a pipeline leaves room for the stage', () => {
  const longest = 'x'.repeat(1224);
  assert.ok(deployment({ ExternalId: longest }));
  assert.throws(() => deployment({ ExternalId: `${longest}x` }), /does not match/);
  const shorter = longest.slice('-STAGE'.length);
  assert.ok(promotion({ ExternalId: shorter }));
  assert.throws(() => promotion({ ExternalId: `${shorter}x` }), /does not match/);
  assert.throws(() => promotion({ ExternalId: 'too-short' }), /does not match/);
});

test('a budget is created with an amount, and notifies its address', () => {
  const budgetOf = (parameters) => execution(parameters).Budget;
  const { Budget, NotificationsWithSubscribers } = budgetOf({ MonthlyBudget: '50', BudgetEmail: 'owner@example.com' });
  assert.deepEqual(Budget.BudgetLimit, { Amount: '50', Unit: 'USD' });
  const addresses = NotificationsWithSubscribers.flatMap(({ Subscribers }) =>
    Subscribers.map(({ Address }) => Address),
  );
  assert.deepEqual(addresses, ['owner@example.com', 'owner@example.com']);
  for (const [amount, email] of [
    ['0', 'owner@example.com'],
    [undefined, undefined],
  ])
    assert.equal(budgetOf({ MonthlyBudget: amount, BudgetEmail: email }), undefined);
  for (const amount of ['-1', '5.5', '1e3', '$5', '00', ''])
    assert.throws(() => budgetOf({ MonthlyBudget: amount, BudgetEmail: 'owner@example.com' }));
});

test('two pipelines, and the roles of two stages, share no names', () => {
  const names = (made) =>
    Object.values(made)
      .flatMap((each) => [
        each.Name,
        each.RoleName,
        each.DashboardName,
        each.PolicyName,
        each.LogGroupName,
        each.ManagedPolicyName,
        each.AliasName,
      ])
      .filter(Boolean);
  const parts = Object.keys(dev).map((part) => [part, dev[part], prod[part]]);
  parts.push([
    'delivery',
    ...['DEV', 'PROD'].map((stage) => delivery({ PipelineName: `product-catalog-service-${stage}` })),
  ]);
  for (const [part, one, other] of parts) {
    assert.ok(names(one).length > 0, part);
    const shared = names(one).filter((name) => names(other).includes(name));
    assert.deepEqual(shared, [], part);
  }
});

const variable = ({ Environment }, name) => Environment.EnvironmentVariables.find(({ Name }) => Name === name)?.Value;
test('the projects have the names of the roles in the target account', () => {
  for (const { pipeline, execution, deployment } of [dev, prod]) {
    const stage = variable(pipeline.DeployProject, 'STAGE');
    assert.equal(variable(pipeline.BuildProject, 'TARGETS'), `${stage}=${execution.ExecutionRole.Arn}`);
    assert.equal(variable(pipeline.DeployProject, 'CROSS_ACCOUNT_ROLE'), deployment.DeploymentRole.Arn);
    assert.equal(variable(pipeline.TestProject, 'CROSS_ACCOUNT_ROLE'), deployment.TestRole.Arn);
    for (const project of [pipeline.DeployProject, pipeline.TestProject]) {
      assert.equal(variable(project, 'EXTERNAL_ID'), EXTERNAL_ID);
    }
  }
});

test('with several stages, each project has the role in the account of its stage, and its external id', () => {
  for (const [stage, { DeployProject, TestProject, target }] of Object.entries(stages)) {
    assert.equal(variable(DeployProject, 'CROSS_ACCOUNT_ROLE'), target.DeploymentRole.Arn);
    assert.equal(variable(TestProject, 'CROSS_ACCOUNT_ROLE'), target.TestRole.Arn);
    for (const project of [DeployProject, TestProject]) {
      assert.equal(variable(project, 'STAGE'), stage);
      assert.equal(variable(project, 'TARGET_ACCOUNT_ID'), target.TestRole.Arn.split(':')[4]);
      assert.equal(variable(project, 'EXTERNAL_ID'), `${EXTERNAL_ID}-${stage}`);
    }
  }
  const executionRoles = Object.entries(stages).map(([stage, { target }]) => {
    const account = target.TestRole.Arn.split(':')[4];
    return `${stage}=arn:aws:iam::${account}:role/cf-execution-role-serverless-${stage}`;
  });
  assert.equal(variable(several.BuildProject, 'TARGETS'), executionRoles.join(' '));
});
