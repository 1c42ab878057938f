// The boundary: the most that a function can do, with any role.

import { administrator, boundary, deploymentRole, fact, functionRole, logGroup, table, within } from './evaluator.mjs';

const aFunction = within(boundary, administrator(functionRole));
const logStream = (name) => `${logGroup(`/aws/lambda/product-catalog-service-${name}`)}:log-stream:2026`;
fact('a function creates and finds products, logs and traces, whatever its role allows', {
  allowed: [
    [aFunction, 'dynamodb:PutItem', table('PRODUCT_CATALOG')],
    [aFunction, 'dynamodb:GetItem', table('PRODUCT_CATALOG')],
    [aFunction, 'logs:CreateLogStream', logStream('DEV-create')],
    [aFunction, 'logs:PutLogEvents', logStream('DEV-find')],
    [aFunction, 'xray:PutTraceSegments', '*'],
    [aFunction, 'xray:PutTelemetryRecords', '*'],
  ],
  denied: [
    [aFunction, 'dynamodb:DeleteItem', table('PRODUCT_CATALOG')],
    [aFunction, 'dynamodb:PutItem', table('OTHER')],
    [aFunction, 'logs:PutLogEvents', logStream('PROD-find')],
    [aFunction, 'iam:CreateRole', functionRole],
    [aFunction, 'sts:AssumeRole', deploymentRole.arn],
  ],
});
