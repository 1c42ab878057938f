// The roles of a release, as osls packages them, within their boundaries: those of CodeDeploy, the check and the
// functions. None can do what only another one may.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Workspace } from '../workspace.mjs';
import {
  administrator,
  alarm,
  boundary,
  CheckBoundary,
  checkRole,
  dev,
  functionRole,
  iam,
  inline,
  lambda,
  list,
  logGroup,
  may,
  principal,
  prod,
  service,
  TARGET,
  TrafficBoundary,
  table,
  trafficRole,
  within,
} from './evaluator.mjs';

const own = (name) => lambda(`product-catalog-service-DEV-${name}`);
const logOf = (name) => `${logGroup(`/aws/lambda/product-catalog-service-${name}`)}:log-stream:2026`;
const [create, find] = ['create', 'find'];

// What only that role may do.
const shifts = [create, find].flatMap((name) => [
  [['lambda:GetAlias', 'lambda:UpdateAlias'], own(name)],
  ['lambda:GetProvisionedConcurrencyConfig', own(`${name}:live`)],
]);
const startsTheCheck = ['lambda:InvokeFunction', own('check')];
const watches = ['cloudwatch:DescribeAlarms', alarm('product-catalog-service-DEV-release')];
const triesTheVersions = [create, find].map((name) => ['lambda:InvokeFunction', own(`${name}:2`)]);
const reports = ['codedeploy:PutLifecycleEventHookExecutionStatus', '*'];
const logsTheCheck = [['logs:CreateLogStream', 'logs:PutLogEvents'], logOf('DEV-check')];
const creates = ['dynamodb:PutItem', table('PRODUCT_CATALOG')];
const finds = ['dynamodb:GetItem', table('PRODUCT_CATALOG')];
const logs = (name) => [['logs:CreateLogStream', 'logs:PutLogEvents'], logOf(`DEV-${name}`)];
const traces = [['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*'];

const OF_CODEDEPLOY = [...shifts, startsTheCheck, watches];
const OF_THE_CHECK = [...triesTheVersions, reports, logsTheCheck];
// What no role may do.
const OF_NOBODY = [
  ['lambda:InvokeFunction', own(create)],
  ['lambda:InvokeFunction', lambda('product-catalog-service-PROD-create:1')],
  ['lambda:InvokeFunction', lambda('product-catalog-service-PROD-check')],
  ['lambda:InvokeFunction', lambda('payments:1')],
  ['lambda:UpdateAlias', lambda('product-catalog-service-PROD-create')],
  ['lambda:UpdateAlias', lambda('payments')],
  [['lambda:UpdateFunctionCode', 'lambda:PublishVersion', 'lambda:DeleteAlias', 'lambda:AddPermission'], own(create)],
  ['logs:PutLogEvents', logOf('PROD-check')],
  ['dynamodb:DeleteItem', table('PRODUCT_CATALOG')],
  ['iam:PutRolePolicy', functionRole],
];

test('within its boundary, each role of the stack can do its work and nothing else', async (t) => {
  const packaged = await Workspace.packaging(t, 'DEV');
  const { Resources } = await packaged({});
  const roles = stackRoles(Resources);
  const check = async (who, { allowed, denied }) => {
    for (const [verdict, questions] of Object.entries({ allowed, denied }))
      for (const [actions, resource] of questions)
        for (const action of list(actions))
          assert.equal(await may(who, action, resource), verdict === 'allowed', `${who.arn} ${action} ${resource}`);
  };
  const functions = [creates, finds, ...[create, find].map(logs), traces];

  await t.test('CodeDeploy', async () => {
    const questions = { allowed: OF_CODEDEPLOY, denied: [...OF_THE_CHECK, ...functions, ...OF_NOBODY] };
    await check(within(TrafficBoundary, roles.TrafficRole), questions);
    // Even if its role allows more.
    await check(within(TrafficBoundary, administrator(trafficRole)), questions);
    // The boundary of the functions would deny every shift.
    await check(within(boundary, roles.TrafficRole), { allowed: [], denied: OF_CODEDEPLOY });
  });

  await t.test('the check', async () => {
    const questions = { allowed: OF_THE_CHECK, denied: [...OF_CODEDEPLOY, ...functions, ...OF_NOBODY] };
    await check(within(CheckBoundary, roles.CheckRole), questions);
    await check(within(CheckBoundary, administrator(checkRole)), questions);
    await check(within(boundary, roles.CheckRole), { allowed: [logsTheCheck], denied: [...triesTheVersions, reports] });
  });

  await t.test('a function can do no more than before', async () => {
    const others = [...OF_CODEDEPLOY, ...triesTheVersions, reports, ...OF_NOBODY];
    await check(within(boundary, roles.CreateRole), {
      allowed: [creates, logs(create), traces],
      denied: [finds, logs(find), logsTheCheck, ...others],
    });
    await check(within(boundary, roles.FindRole), {
      allowed: [finds, logs(find), traces],
      denied: [creates, logs(create), logsTheCheck, ...others],
    });
    await check(within(boundary, administrator(functionRole)), { allowed: functions, denied: others });
  });

  await t.test('each role has its own boundary, and trusts only its service', async () => {
    const made = {
      CheckRole: [CheckBoundary, 'lambda.amazonaws.com'],
      CreateRole: [boundary, 'lambda.amazonaws.com'],
      FindRole: [boundary, 'lambda.amazonaws.com'],
      TrafficRole: [TrafficBoundary, 'codedeploy.amazonaws.com'],
    };
    assert.deepEqual(Object.keys(roles).sort(), Object.keys(made));
    for (const [name, [{ Arn }, user]] of Object.entries(made)) {
      assert.equal(roles[name].carries, Arn);
      const { AssumeRolePolicyDocument: policy } = Resources[name].Properties;
      for (const each of ['codedeploy.amazonaws.com', 'lambda.amazonaws.com', 'ec2.amazonaws.com'])
        assert.equal(
          await may(service(each), 'sts:AssumeRole', roles[name].arn, { owner: TARGET, policy }),
          each === user,
          `${each} assumes ${name}`,
        );
    }
  });
});

test('traffic shifts, and the check runs, for every function with an http event', async (t) => {
  const workspace = await Workspace.packaged(t, 'DEV');
  const { service: state } = JSON.parse(await workspace.read('dist/package/DEV/serverless-state.json'));
  const { Resources } = await workspace.template('DEV');
  const { CheckRole, TrafficRole } = stackRoles(Resources);
  const shifted = Object.values(state.functions).filter(({ events }) => events.some(({ http }) => http));
  assert.ok(shifted.length > 1);
  for (const { name } of shifted) {
    assert.ok(await may(within(CheckBoundary, CheckRole), 'lambda:InvokeFunction', lambda(`${name}:1`)), name);
    assert.ok(await may(within(TrafficBoundary, TrafficRole), 'lambda:UpdateAlias', lambda(name)), name);
  }
});

test('two stages have different boundaries', () => {
  for (const name of ['FunctionBoundary', 'CheckBoundary', 'TrafficBoundary'])
    assert.notEqual(dev.execution[name].Arn, prod.execution[name].Arn);
});

/** The roles of a packaged stack, with policies as CloudFormation resolves them. */
function stackRoles(resources) {
  const arns = {
    'AWS::DynamoDB::Table': ({ TableName }) => table(TableName),
    'AWS::Lambda::Function': ({ FunctionName }) => lambda(FunctionName),
    'AWS::Logs::LogGroup': ({ LogGroupName }) => `${logGroup(LogGroupName)}:*`,
  };
  const arn = (id) => arns[resources[id].Type](resources[id].Properties);
  const resolved = (node) =>
    JSON.parse(
      JSON.stringify(node)
        .replaceAll(/\{"Fn::GetAtt":\["(\w+)","Arn"\]\}/g, (_, id) => JSON.stringify(arn(id)))
        .replaceAll(/\{"Fn::Sub":("[^"]*")\}/g, '$1')
        .replaceAll(/\$\{(\w+)\.Arn\}/g, (_, id) => arn(id))
        .replaceAll('${AWS::Partition}', 'aws')
        .replaceAll('${AWS::AccountId}', TARGET),
    );
  return Object.fromEntries(
    Object.entries(resources)
      .filter(([, { Type }]) => Type === 'AWS::IAM::Role')
      .map(([id, { Properties }]) => {
        const { RoleName, PermissionsBoundary, Policies } = resolved(Properties);
        assert.doesNotMatch(JSON.stringify(Policies), /\$\{|Fn::|"Ref"/);
        return [id, { ...principal(iam(RoleName), inline({ Policies })), carries: PermissionsBoundary }];
      }),
  );
}
