// The execution role: what CloudFormation can do.

import {
  administrator,
  alarm,
  alsoAdministrator,
  api,
  application,
  boundary,
  bucket,
  buckets,
  CheckBoundary,
  carrying,
  checkRole,
  dashboard,
  deploymentGroup,
  deploymentRole,
  dev,
  execution,
  executionRole,
  fact,
  functionRole,
  iam,
  lambda,
  logGroup,
  opensTo,
  pace,
  passedTo,
  principal,
  prod,
  REGION,
  role,
  service,
  TARGET,
  THIRD,
  TrafficBoundary,
  table,
  topic,
  trafficRole,
  upload,
  withinBoundary,
} from './evaluator.mjs';

const writesRole = [
  'iam:CreateRole',
  'iam:PutRolePolicy',
  'iam:PutRolePermissionsBoundary',
  'iam:UpdateAssumeRolePolicy',
];
const withinAnother = { context: { 'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/AdministratorAccess' } };
const boundaries = [boundary, CheckBoundary, TrafficBoundary];
const boundaryOf = { [functionRole]: boundary, [checkRole]: CheckBoundary, [trafficRole]: TrafficBoundary };
fact('a role is written only with its own boundary', {
  allowed: Object.entries(boundaryOf).map(([name, own]) => [executionRole, writesRole, name, carrying(own)]),
  denied: Object.entries(boundaryOf).flatMap(([name, own]) => [
    [executionRole, writesRole, name],
    [executionRole, writesRole, name, withinAnother],
    ...boundaries.filter((other) => other !== own).map((other) => [executionRole, writesRole, name, carrying(other)]),
  ]),
});

const named = (name) => iam(`product-catalog-service-${name}`);
fact('no role of another name carries the boundary of the check or of CodeDeploy', {
  allowed: [
    [executionRole, writesRole, checkRole, carrying(CheckBoundary)],
    [executionRole, writesRole, trafficRole, carrying(TrafficBoundary)],
  ],
  denied: ['DEV-find-role', 'DEV-my-check-role', 'DEV-my-traffic-role', 'PROD-check-role', 'PROD-traffic-role'].flatMap(
    (name) =>
      [CheckBoundary, TrafficBoundary].map((wider) => [executionRole, writesRole, named(name), carrying(wider)]),
  ),
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
fact('no boundary itself is ever changed, whatever else the execution role is given', {
  allowed: [[alsoAdministrator(executionRole), policyChanges, `${boundary.Arn}-of-another`]],
  denied: boundaries.flatMap(({ Arn }) => [
    [executionRole, policyChanges, Arn],
    [alsoAdministrator(executionRole), policyChanges, Arn],
  ]),
});

fact("the execution role does not change the policy that it has besides the role's own", {
  allowed: [[administrator(executionRole.arn), policyChanges, dev.execution.ReleasePolicy.Arn]],
  denied: [[executionRole, policyChanges, dev.execution.ReleasePolicy.Arn]],
});

const foreignRoles = [
  iam('administrators'),
  iam('product-catalog-service-PROD-create-role'),
  executionRole.arn,
  deploymentRole.arn,
  iam('product-catalog-service-DEV-deploy'), // the pipeline's, if one account is both tools and target account
  iam('product-catalog-service-DEV-x/administrators-role'),
  iam('path/product-catalog-service-DEV-create-role'),
  iam('aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway'),
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

const CODEDEPLOY = 'codedeploy.amazonaws.com';
fact('CodeDeploy is passed its role, and nothing else is, whatever else the execution role is given', {
  allowed: [
    [executionRole, 'iam:PassRole', trafficRole, passedTo(CODEDEPLOY)],
    [executionRole, 'iam:PassRole', checkRole, passedTo('lambda.amazonaws.com')],
  ],
  denied: [
    ...[functionRole, checkRole, named('PROD-traffic-role'), named('DEV-my-traffic-role')].map((other) => [
      executionRole,
      'iam:PassRole',
      other,
      passedTo(CODEDEPLOY),
    ]),
    ...[executionRole, alsoAdministrator(executionRole)].flatMap((who) => [
      [who, 'iam:PassRole', trafficRole, passedTo('lambda.amazonaws.com')],
      [who, 'iam:PassRole', trafficRole],
    ]),
  ],
});

const publishes = ['PublishVersion', 'CreateAlias', 'UpdateAlias', 'DeleteAlias'].map((action) => `lambda:${action}`);
fact('the execution role publishes versions of its stage, and shifts traffic to them with CodeDeploy', {
  allowed: [
    [executionRole, publishes, lambda('product-catalog-service-DEV-create')],
    [executionRole, 'codedeploy:DeleteApplication', application('product-catalog-service-DEV')],
    [executionRole, 'codedeploy:CreateDeployment', deploymentGroup('product-catalog-service-DEV/any')],
    [executionRole, 'codedeploy:GetDeploymentConfig', pace('CodeDeployDefault.LambdaAllAtOnce')],
    [executionRole, 'codedeploy:StopDeployment', '*'],
  ],
  denied: [
    [executionRole, publishes, lambda('product-catalog-service-PROD-create')],
    [executionRole, publishes, lambda('payments')],
    [executionRole, 'codedeploy:DeleteApplication', application('product-catalog-service-PROD')],
    [executionRole, 'codedeploy:DeleteApplication', application('product-catalog-service-DEV-2')],
    [executionRole, 'codedeploy:CreateDeployment', deploymentGroup('product-catalog-service-PROD/any')],
    [executionRole, 'codedeploy:CreateDeployment', deploymentGroup('payments/any')],
    [executionRole, 'codedeploy:CreateDeploymentConfig', pace('CodeDeployDefault.LambdaAllAtOnce')],
    [executionRole, 'codedeploy:GetDeploymentConfig', pace('payments')],
    // Only the check decides whether a release works.
    [executionRole, 'codedeploy:PutLifecycleEventHookExecutionStatus', '*'],
    [executionRole, 'lambda:InvokeFunction', lambda('product-catalog-service-DEV-check')],
    [executionRole, 'lambda:InvokeFunction', lambda('product-catalog-service-DEV-create:1')],
  ],
});

const linkedRole = (path) => iam(`aws-service-role/${path}`);
const ofApiGateway = linkedRole('ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway');
const ofInsights = linkedRole(
  'contributorinsights.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBCloudWatchContributorInsights',
);
const creates = (name, serviceName) => [
  executionRole,
  'iam:CreateServiceLinkedRole',
  name,
  serviceName && { context: { 'iam:AWSServiceName': serviceName } },
];
fact('two services create the service-linked role that they need, and no other is created', {
  allowed: [
    creates(ofApiGateway, 'ops.apigateway.amazonaws.com'),
    creates(ofInsights, 'contributorinsights.dynamodb.amazonaws.com'),
  ],
  denied: [
    creates(ofApiGateway, 'contributorinsights.dynamodb.amazonaws.com'),
    creates(ofInsights, 'ops.apigateway.amazonaws.com'),
    creates(ofApiGateway),
    creates(ofInsights),
    creates(`${ofApiGateway}2`, 'ops.apigateway.amazonaws.com'),
    creates(
      linkedRole('replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication'),
      'replication.dynamodb.amazonaws.com',
    ),
    creates(functionRole, 'ops.apigateway.amazonaws.com'),
    [executionRole, 'iam:DeleteServiceLinkedRole', ofApiGateway],
  ],
});

// AWS documents that enabling Contributor Insights for an encrypted table needs kms:Decrypt. The policy of AWS's own
// key grants it to everyone in the account who calls through DynamoDB.
const keyOfDynamoDb = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: ['kms:CreateGrant', 'kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt'],
      Resource: '*',
      Condition: {
        StringEquals: { 'kms:CallerAccount': TARGET, 'kms:ViaService': `dynamodb.${REGION}.amazonaws.com` },
      },
    },
  ],
};
const decrypts = ({ account = TARGET, via = 'dynamodb', policy = keyOfDynamoDb } = {}) => [
  account === TARGET ? executionRole : principal(iam('cf-execution-role-serverless-DEV', account), []),
  'kms:Decrypt',
  `arn:aws:kms:${REGION}:${TARGET}:key/aws-dynamodb`,
  {
    owner: TARGET,
    policy,
    context: { 'kms:CallerAccount': account, 'kms:ViaService': `${via}.${REGION}.amazonaws.com` },
  },
];
fact('the execution role needs no kms:Decrypt for the throttled ids of a table with the key of AWS', {
  allowed: [[executionRole, 'dynamodb:UpdateContributorInsights', table('PRODUCT_CATALOG')], decrypts()],
  denied: [
    [executionRole, 'dynamodb:UpdateContributorInsights', table('PRODUCT_CATALOG_OLD')],
    decrypts({ via: 's3' }),
    decrypts({ account: THIRD }),
    decrypts({ policy: null }),
  ],
});

fact('the execution role says which other accounts call an API of this region', {
  allowed: [
    [executionRole, 'apigateway:UpdateRestApiPolicy', api('/restapis')],
    [executionRole, 'apigateway:UpdateRestApiPolicy', api('/restapis/a1b2c3')],
  ],
  denied: [[executionRole, 'apigateway:UpdateRestApiPolicy', 'arn:aws:apigateway:us-east-1::/restapis/a1b2c3']],
});

const withDomain = role(execution({ DomainName: 'catalog.example.com' }).ExecutionRole);
const managesDomain = (who, name) => [
  ...['GET', 'PATCH', 'DELETE'].map((method) => [who, `apigateway:${method}`, api(`/domainnames/${name}`)]),
  [who, 'apigateway:POST', api(`/domainnames/${name}/basepathmappings`)],
  [who, 'apigateway:DELETE', api(`/domainnames/${name}/basepathmappings/(none)`)],
];
fact('the execution role manages one domain name, or none', {
  allowed: [[withDomain, 'apigateway:POST', api('/domainnames')], ...managesDomain(withDomain, 'catalog.example.com')],
  denied: [
    [executionRole, 'apigateway:POST', api('/domainnames')],
    ...managesDomain(executionRole, 'catalog.example.com'),
    [withDomain, 'apigateway:GET', api('/domainnames')],
    [withDomain, 'apigateway:AddCertificateToDomain', api('/domainnames/catalog.example.com')],
    ...['payments.example.com', 'catalog.example.com.evil.example', 'a.catalog.example.com'].flatMap((name) =>
      managesDomain(withDomain, name),
    ),
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

const keepers = ['STAGE', 'PROD'].map((stage) => role(execution({ DeploymentEnvironment: stage }).ExecutionRole));
fact('STAGE and PROD never lose their table, whatever else the execution role is given', {
  allowed: [
    [executionRole, 'dynamodb:DeleteTable', table('PRODUCT_CATALOG')],
    ...keepers.map((who) => [who, 'dynamodb:UpdateTable', table('PRODUCT_CATALOG')]),
  ],
  denied: keepers.flatMap((who) => [
    [who, 'dynamodb:DeleteTable', table('PRODUCT_CATALOG')],
    [alsoAdministrator(who), 'dynamodb:DeleteTable', table('PRODUCT_CATALOG')],
  ]),
});

// API Gateway's resources after osls has deployed them, and before.
const deployedBy = (stage) => ({ context: { 'aws:ResourceTag/STAGE': stage } });
const verbs = ['GET', 'PATCH', 'DELETE'].map((verb) => `apigateway:${verb}`);
const onApiGateway = ['/restapis/a1b2c3', '/restapis/a1b2c3/stages/PROD', '/apikeys/k1', '/usageplans/p1'].map(api);
fact('the APIs, keys and usage plans of another stage in the account are out of reach', {
  allowed: onApiGateway.flatMap((resource) => [
    [executionRole, verbs, resource, deployedBy('DEV')],
    [executionRole, verbs, resource],
    [role(prod.execution.ExecutionRole), verbs, resource, deployedBy('PROD')],
  ]),
  denied: onApiGateway.flatMap((resource) => [
    [executionRole, verbs, resource, deployedBy('PROD')],
    [executionRole, verbs, resource, deployedBy('STAGE')],
    [alsoAdministrator(executionRole), verbs, resource, deployedBy('PROD')],
    [role(prod.execution.ExecutionRole), verbs, resource, deployedBy('DEV')],
  ]),
});

const invokedBy = (principal) => [
  executionRole,
  'lambda:AddPermission',
  lambda('product-catalog-service-DEV-create'),
  { context: principal ? { 'lambda:Principal': principal } : {} },
];
fact('only API Gateway is permitted to invoke a function', {
  allowed: [invokedBy('apigateway.amazonaws.com')],
  denied: [
    invokedBy('*'),
    invokedBy(THIRD),
    invokedBy('s3.amazonaws.com'),
    invokedBy(iam('administrators')),
    invokedBy(),
  ],
});

const notifies = (...actions) => [
  executionRole,
  'cloudwatch:PutMetricAlarm',
  alarm('product-catalog-service-DEV-errors'),
  { context: { 'cloudwatch:AlarmActions': actions } },
];
fact('an alarm notifies the topic of its stage, and does nothing else', {
  allowed: [notifies(topic('product-catalog-service-DEV-alarms'))],
  denied: [
    notifies(topic('product-catalog-service-PROD-alarms')),
    notifies(topic('payments')),
    notifies(topic('product-catalog-service-DEV-alarms').replace(TARGET, THIRD)),
    notifies(lambda('product-catalog-service-DEV-create')),
    notifies('arn:aws:automate:eu-central-1:ec2:terminate'),
    notifies(topic('product-catalog-service-DEV-alarms'), 'arn:aws:automate:eu-central-1:ec2:terminate'),
  ],
});

const subscribes = (protocol) => [
  executionRole,
  'sns:Subscribe',
  topic('product-catalog-service-DEV-alarms'),
  { context: protocol ? { 'sns:Protocol': protocol } : {} },
];
fact('people and pagers are subscribed to the alarms, by email and https', {
  allowed: [subscribes('email'), subscribes('https')],
  denied: [
    subscribes('http'),
    subscribes('sqs'),
    subscribes('lambda'),
    subscribes('firehose'),
    subscribes('sms'),
    subscribes(),
  ],
});

fact('the execution role makes the deployment bucket, however its name is cut, and no other', {
  allowed: buckets.map((own) => [executionRole, 's3:PutBucketPolicy', own]),
  denied: [
    [executionRole, 's3:PutBucketPolicy', 'arn:aws:s3:::payments-dev-serverlessdeploymentbucket-1abc'],
    [executionRole, 's3:PutBucketPolicy', 'arn:aws:s3:::product-catalog-service-exports'],
    [executionRole, 's3:GetBucketPolicy', 'arn:aws:s3:::product-catalog-service-exports'],
    // Another account's bucket with such a name, open to everyone.
    ...['PutBucketPolicy', 'GetBucketPolicy', 'ListBucket'].map((action) => [
      executionRole,
      `s3:${action}`,
      bucket,
      { owner: THIRD, policy: opensTo('s3:*', { Resource: '*' }) },
    ]),
  ],
});

fact('functions get the code of their own stage only', {
  allowed: buckets.map((own) => [executionRole, 's3:GetObject', upload(own)]),
  denied: [
    [executionRole, 's3:GetObject', upload(bucket, 'PROD')],
    [executionRole, 's3:GetObject', upload(bucket), { owner: THIRD, policy: opensTo('s3:*', { Resource: '*' }) }],
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
    [executionRole, 'cloudwatch:PutDashboard', dashboard('product-catalog-service-DEV-2')],
    [executionRole, 'sns:DeleteTopic', topic('product-catalog-service-PROD-alarms')],
  ],
});
