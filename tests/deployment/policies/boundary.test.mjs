// The boundary: what a function may do, with any role.

import { administrator, boundary, deploymentRole, fact, functionRole, logGroup, table } from './evaluator.mjs';

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
