// The tools account.

import {
  administrator,
  assumes,
  BuildRole,
  buildRole,
  connection,
  DeployRole,
  deployRole,
  dev,
  executionRole,
  fact,
  iam,
  opensTo,
  PipelineRole,
  PushRole,
  passedTo,
  pipeline,
  pipelineRole,
  prod,
  pushRole,
  REGION,
  role,
  service,
  TARGET,
  THIRD,
  TOOLS,
} from './evaluator.mjs';

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
const [silent, sendsItsKeys] = [[], []];
for (const [what, made, principalOf, source, other] of [
  ['pipeline', PipelineRole, 'codepipeline.amazonaws.com', codepipeline('DEV'), codepipeline('PROD')],
  ['build project', BuildRole, 'codebuild.amazonaws.com', codebuild('DEV-build'), codebuild('DEV-deploy')],
  ['deploy project', DeployRole, 'codebuild.amazonaws.com', codebuild('DEV-deploy'), codebuild('DEV-build')],
  ['push rule', PushRole, 'events.amazonaws.com', rule('DEV-push'), rule('PROD-push')],
]) {
  const works = (name, arn, account) => {
    const context = arn ? { 'aws:SourceArn': arn, 'aws:SourceAccount': account } : {};
    const asked = { owner: TOOLS, policy: made.AssumeRolePolicyDocument, context };
    return [service(name), 'sts:AssumeRole', made.Arn, asked];
  };
  fact(`only the ${what} works with its role`, {
    allowed: [works(principalOf, source, TOOLS)],
    denied: [
      works(principalOf, other, TOOLS),
      works(principalOf, source, THIRD),
      works('lambda.amazonaws.com', source, TOOLS),
      works('lambda.amazonaws.com'),
    ],
  });
  // AWS documents these keys for CodeBuild and EventBridge, but not for CodePipeline.
  if (what !== 'pipeline') sendsItsKeys.push(works(principalOf));
  else silent.push(works(principalOf));
}
fact('a service that does not send its source is accepted only if it is CodePipeline', {
  allowed: silent,
  denied: sendsItsKeys,
});

const repository = (name) => `arn:aws:codecommit:${REGION}:${TOOLS}:${name}`;
const olderConnection = connection.replace('codeconnections', 'codestar-connections');
const [connected, older] = [connection, olderConnection].map((ConnectionArn) =>
  role(pipeline({ ConnectionArn, FullRepositoryId: 'owner/product-catalog' }).PipelineRole),
);
const uses = (who, arn, repository = 'owner/product-catalog', branch = 'master') => {
  const service = arn.split(':')[2];
  const context = { [`${service}:FullRepositoryId`]: repository, [`${service}:BranchName`]: branch };
  return [who, `${service}:UseConnection`, arn, { context }];
};
const fetches = ['GetBranch', 'GetCommit', 'UploadArchive', 'GetUploadArchiveStatus', 'CancelUploadArchive'].map(
  (action) => `codecommit:${action}`,
);
fact('the pipeline fetches its source from one repository', {
  allowed: [
    [pipelineRole, fetches, repository('product-catalog-service')],
    uses(connected, connection),
    uses(older, olderConnection),
  ],
  denied: [
    [pipelineRole, 'codecommit:GetCommit', repository('payments')],
    [pipelineRole, 'codecommit:GitPush', repository('product-catalog-service')],
    uses(pipelineRole, connection),
    uses(connected, `${connection}b`),
    ...[
      [connected, connection],
      [older, olderConnection],
    ].flatMap(([who, arn]) => [uses(who, arn, 'owner/payroll'), uses(who, arn, 'owner/product-catalog', 'feature')]),
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
// CodePipeline shortens the pipeline's name to 20 characters, and an artifact's to 10.
const artifactOf = (name) => `${ArtifactBucket.Arn}/product-catalog-serv/${name}/x1y2z3`;
const artifact = artifactOf('Source');
const reads = (who, name) => [who, ['s3:GetObject', 's3:GetObjectVersion'], artifactOf(name)];
const stores = (who, name) => [who, 's3:PutObject', artifactOf(name)];
fact('Build cannot write what Deploy executes, and each role reads and writes only its artifacts', {
  allowed: [
    stores(pipelineRole, 'Source'),
    ...['Source', 'Package', 'Endpoint'].map((name) => reads(pipelineRole, name)),
    reads(buildRole, 'Source'),
    stores(buildRole, 'Package'),
    reads(deployRole, 'Source'),
    reads(deployRole, 'Package'),
    stores(deployRole, 'Endpoint'),
  ],
  denied: [
    stores(buildRole, 'Source'),
    stores(buildRole, 'Endpoint'),
    reads(buildRole, 'Package'),
    stores(deployRole, 'Source'),
    stores(deployRole, 'Package'),
    stores(pipelineRole, 'Package'),
    stores(pipelineRole, 'Endpoint'),
    ...[pipelineRole, buildRole, deployRole].flatMap((who) => [
      [who, ['s3:GetObject', 's3:PutObject'], `${ArtifactBucket.Arn}/cache/x1y2z3`],
      [who, 's3:PutObject', `${ArtifactBucket.Arn}/product-catalog-serv/Other/x1y2z3`],
      [who, 's3:ListBucket', ArtifactBucket.Arn],
    ]),
  ],
});

const hands = (who) => [
  reads(who, 'Source'),
  [who, 's3:GetBucketLocation', ArtifactBucket.Arn],
  [who, ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'], Key.Arn, { policy: Key.KeyPolicy }],
];
fact('the three roles hand on artifacts, in one bucket and with one key', {
  allowed: [pipelineRole, buildRole, deployRole].flatMap(hands),
  denied: [pipelineRole, buildRole, deployRole].flatMap((who) => [
    [who, 's3:GetObject', 'arn:aws:s3:::another-bucket/x'],
    [who, 's3:ListBucket', ArtifactBucket.Arn],
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
const reports = (name) => `arn:aws:codebuild:${REGION}:${TOOLS}:report-group/product-catalog-service-${name}`;
const reported = ['CreateReportGroup', 'CreateReport', 'UpdateReport', 'BatchPutTestCases'].map(
  (action) => `codebuild:${action}`,
);
fact('the build reports its own tests', {
  allowed: [[buildRole, reported, reports('DEV-build-tests')]],
  denied: [
    ...reported.flatMap((action) => [
      [buildRole, action, reports('PROD-build-tests')],
      [buildRole, action, reports('DEV-deploy-tests')],
      [buildRole, action, reports('DEV-build-tests').replace('product-catalog-service', 'payments')],
      [deployRole, action, reports('DEV-build-tests')],
    ]),
    [buildRole, 'codebuild:DeleteReportGroup', reports('DEV-build-tests')],
    [buildRole, 'codebuild:BatchPutCodeCoverages', reports('DEV-build-tests')],
  ],
});

fact('each project writes its own log', {
  allowed: [writes(buildRole, 'build'), writes(deployRole, 'deploy')],
  denied: [writes(buildRole, 'deploy'), writes(deployRole, 'build')],
});
