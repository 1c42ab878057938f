// The permissions that CloudFormation needs according to its own resource schemas.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isWildcardOnlyAction } from '@cloud-copilot/iam-simulate';
import { Workspace } from '../workspace.mjs';
import {
  alarm,
  api,
  application,
  bucket,
  dashboard,
  deploymentGroup,
  execution,
  functionRole,
  iam,
  lambda,
  logGroup,
  may,
  pace,
  passedTo,
  REGION,
  role,
  TARGET,
  table,
  topic,
  trafficRole,
  upload,
  withinBoundary,
} from './evaluator.mjs';

const schemas = (() => {
  const lib = new URL('../../../.venv/lib/', import.meta.url);
  const [python] = readdirSync(lib).filter((name) => name.startsWith('python'));
  return new URL(`${python}/site-packages/cfnlint/data/schemas/`, lib);
})();
const json = (path) => JSON.parse(readFileSync(new URL(path, schemas), 'utf8'));
const schemaOf = json('providers/us-east-1.json');

// With every optional setting.
const executionRole = role(execution({ DomainName: 'catalog.example.com' }).ExecutionRole);
const tagsOf = (item) => api(`/tags/${encodeURIComponent(api(item))}`);
// API Gateway's PUT changes parts of a REST API, and the tags of everything else.
const gateway = (collection, item) => (action) => {
  if (action === 'apigateway:POST') return api(collection);
  return action === 'apigateway:PUT' && !item.startsWith('/restapis') ? tagsOf(item) : api(item);
};
const always = (arn) => () => arn;
const ofCodeDeploy = (action) => {
  if (action === 'codedeploy:GetDeploymentConfig') return pace('CodeDeployDefault.LambdaCanary10Percent15Minutes');
  return /Application/.test(action)
    ? application('product-catalog-service-DEV')
    : deploymentGroup('product-catalog-service-DEV/product-catalog-service-DEV-create');
};
const linkedRole = iam(
  'aws-service-role/contributorinsights.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBCloudWatchContributorInsights',
);

// The ARN that the service authorizes, for each resource type that the stack has or may soon have.
const stackResources = {
  'AWS::ApiGateway::ApiKey': gateway('/apikeys', '/apikeys/k1'),
  'AWS::ApiGateway::BasePathMapping': gateway(
    '/domainnames/catalog.example.com/basepathmappings',
    '/domainnames/catalog.example.com/basepathmappings/(none)',
  ),
  'AWS::ApiGateway::Deployment': gateway('/restapis/a1b2c3/deployments', '/restapis/a1b2c3/deployments/d1'),
  'AWS::ApiGateway::DomainName': gateway('/domainnames', '/domainnames/catalog.example.com'),
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
  'AWS::CodeDeploy::Application': always(application('product-catalog-service-DEV')),
  'AWS::CodeDeploy::DeploymentGroup': ofCodeDeploy,
  'AWS::DynamoDB::Table': always(table('PRODUCT_CATALOG')),
  'AWS::IAM::Role': always(functionRole),
  'AWS::Lambda::Alias': (action) =>
    action.startsWith('codedeploy:')
      ? ofCodeDeploy(action)
      : lambda(`product-catalog-service-DEV-create${action.includes('Provisioned') ? ':live' : ''}`),
  'AWS::Lambda::Function': always(lambda('product-catalog-service-DEV-create')),
  'AWS::Lambda::Permission': always(lambda('product-catalog-service-DEV-create:live')),
  'AWS::Lambda::Version': (action) =>
    lambda(`product-catalog-service-DEV-create${action.includes('Provisioned') ? ':1' : ''}`),
  'AWS::Logs::LogGroup': always(logGroup('/aws/lambda/product-catalog-service-DEV-create')),
  'AWS::S3::Bucket': always(bucket),
  'AWS::S3::BucketPolicy': always(bucket),
  'AWS::SNS::Topic': always(topic('product-catalog-service-DEV-alarms')),
  'AWS::SNS::TopicPolicy': always(topic('product-catalog-service-DEV-alarms')),
};

// Permissions in the schemas for properties that this stack does not set.
const notNeeded = [
  [/^(ec2|elasticfilesystem|s3files):/, 'no function is in a VPC or mounts a file system'],
  [
    /^kms:/,
    "the one key, of the alarms, is not in the stack, and DynamoDB's own is open to everyone who comes through it",
  ],
  [
    /^lambda:(((Put|Delete)Function|Get)CodeSigningConfig|PassCapacityProvider|AssociateRuntimeAlias|GetLayerVersion)$/,
    'no signed code, capacity provider or layer',
  ],
  [
    /^lambda:Put(FunctionRecursionConfig|FunctionScalingConfig|RuntimeManagementConfig)$/,
    'recursion, scaling and runtime updates stay as they are',
  ],
  [/^lambda:PublishVersion$/, 'versions are resources of their own', /^AWS::Lambda::Function$/],
  [/^lambda:(Put|Delete)ProvisionedConcurrencyConfig$/, 'no version has provisioned concurrency'],
  [/^codedeploy:RegisterOnPremisesInstance$/, 'functions run on no instance'],
  [/^iam:(Attach|Detach)RolePolicy$/, 'roles have inline policies only'],
  [/^iam:DeleteRolePermissionsBoundary$/, 'the boundary stays'],
  [/^iam:(PassRole|GetRole)$/, 'API Gateway, S3 and SNS are given no role', /^AWS::(ApiGateway|S3|SNS)::/],
  [/^s3:GetObject$/, 'the API is not imported from a file', /^AWS::ApiGateway::/],
  [
    /^(kinesis:.*|dynamodb:(DescribeImport|ImportTable|(Enable|Disable|Update)KinesisStreamingDestination|(Create|Associate)TableReplica))$/,
    'the table has no import, stream or replica',
    /^AWS::DynamoDB::/,
  ],
  [/^dynamodb:(UpdateTimeToLive|(Put|Delete)ResourcePolicy)$/, 'the table has no expiry or policy'],
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

test('the execution role allows what CloudFormation needs for every resource of the stack', async () => {
  const used = new Set();
  const missing = [];
  for (const [type, arnFor] of Object.entries(stackResources)) {
    const { handlers = {}, tagging } = json(`resources/${schemaOf[type]}.json`);
    assert.ok(handlers.create?.permissions.length, `${type} has no permissions in its schema`);
    // `list` is for imports and Cloud Control, not for deployments.
    const listed = ['create', 'read', 'update', 'delete'].flatMap((name) => handlers[name]?.permissions ?? []);
    // osls tags the stack, and CloudFormation all its resources.
    const needed = new Set([...listed, ...(tagging?.permissions ?? [])]);
    for (const action of needed) {
      const excuse = notNeeded.find(([pattern, , types]) => pattern.test(action) && (!types || types.test(type)));
      if (excuse) {
        used.add(excuse);
        continue;
      }
      const question = await (async () => {
        if (await isWildcardOnlyAction(...action.split(':'))) return ['*'];
        if (action === 'iam:CreateServiceLinkedRole')
          return [linkedRole, { context: { 'iam:AWSServiceName': 'contributorinsights.dynamodb.amazonaws.com' } }];
        if (action === 'iam:PassRole' && type.startsWith('AWS::CodeDeploy'))
          return [trafficRole, passedTo('codedeploy.amazonaws.com')];
        if (action === 'iam:PassRole') return [functionRole, passedTo('lambda.amazonaws.com')];
        if (action.startsWith('s3:GetObject')) return [upload(bucket)];
        if (/^iam:(CreateRole|Put|UpdateAssume|DeleteRolePolicy)/.test(action)) return [functionRole, withinBoundary];
        if (action === 'lambda:AddPermission')
          return [arnFor(action), { context: { 'lambda:Principal': 'apigateway.amazonaws.com' } }];
        if (action === 'sns:Subscribe') return [arnFor(action), { context: { 'sns:Protocol': 'email' } }];
        return [arnFor(action)];
      })();
      if (!(await may(executionRole, action, ...question))) missing.push(`${type}: ${action} on ${question[0]}`);
    }
  }
  assert.deepEqual(missing, []);
  const unused = notNeeded.filter((excuse) => !used.has(excuse));
  assert.deepEqual(unused, [], 'excuses that nothing needs');
});

test('every resource type of the stack is covered', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const { Resources } = await packaged({});
  const types = new Set(Object.values(Resources).map(({ Type }) => Type));
  assert.ok(types.size > 15);
  assert.deepEqual(
    [...types].filter((type) => !(type in stackResources)),
    [],
  );
});

test('a service that the execution role lacks is detected', async () => {
  assert.ok(await may(executionRole, 'sns:CreateTopic', stackResources['AWS::SNS::Topic']()));
  const queue = `arn:aws:sqs:${REGION}:${TARGET}:product-catalog-service-DEV-dead`;
  assert.ok(!(await may(executionRole, 'sqs:CreateQueue', queue)));
});
