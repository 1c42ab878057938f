// The execution role: what CloudFormation may do.

import {
  administrator,
  alarm,
  alsoAdministrator,
  boundary,
  bucket,
  buckets,
  dashboard,
  deploymentRole,
  dev,
  executionRole,
  fact,
  functionRole,
  iam,
  lambda,
  logGroup,
  passedTo,
  prod,
  role,
  service,
  TARGET,
  table,
  topic,
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
