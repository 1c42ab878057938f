// The tools account.

import {
  ACCOUNTS,
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
  several,
  stages,
  TARGET,
  TestRole,
  THIRD,
  TOOLS,
  testRole,
} from './evaluator.mjs';

const openToAll = { policy: opensTo('sts:AssumeRole') };
const testTarget = dev.deployment.TestRole.Arn;
fact('the build assumes no role, even one that trusts everybody; the deployment and the tests exactly one', {
  allowed: [assumes(deployRole, openToAll), assumes(testRole, { ...openToAll, resource: testTarget })],
  denied: [
    assumes(buildRole, openToAll),
    assumes(buildRole, { ...openToAll, resource: iam('administrators') }),
    assumes(pipelineRole, openToAll),
    assumes(pushRole, openToAll),
    assumes(deployRole, { ...openToAll, resource: iam('administrators') }),
    assumes(deployRole, { ...openToAll, resource: prod.deployment.DeploymentRole.Arn }),
    assumes(deployRole, { ...openToAll, resource: executionRole.arn }),
    assumes(deployRole, { ...openToAll, resource: testTarget }),
    assumes(testRole, openToAll),
    assumes(testRole, { ...openToAll, resource: executionRole.arn }),
    assumes(testRole, { ...openToAll, resource: prod.deployment.TestRole.Arn }),
  ],
});

// Every role of a stage and every role of the target accounts is checked.
const crossings = Object.entries(stages).flatMap(([from, { DeployRole, TestRole }]) =>
  Object.entries(stages).flatMap(([to, { target }]) =>
    [DeployRole, TestRole].flatMap((made) =>
      [target.DeploymentRole, target.TestRole].map((assumed) => ({
        own: from === to && (made === DeployRole) === (assumed === target.DeploymentRole),
        question: assumes(role(made), { ...openToAll, resource: assumed.Arn }),
      })),
    ),
  ),
);
fact('in a pipeline with several stages, each role assumes its own role in the account of its stage, and no other', {
  allowed: crossings.filter(({ own }) => own).map(({ question }) => question),
  denied: [
    ...crossings.filter(({ own }) => !own).map(({ question }) => question),
    ...Object.values(ACCOUNTS).flatMap((account) =>
      [several.BuildRole, several.PipelineRole, several.PushRole].map((made) =>
        assumes(role(made), { ...openToAll, resource: iam('administrators', account) }),
      ),
    ),
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
  ['test project', TestRole, 'codebuild.amazonaws.com', codebuild('DEV-test'), codebuild('DEV-deploy')],
  ['push rule', PushRole, 'events.amazonaws.com', rule('DEV-push'), rule('PROD-push')],
]) {
  const works = (name, arn, account) => {
    const context = arn ? { 'aws:SourceArn': arn, 'aws:SourceAccount': account } : {};
    const asked = { owner: TOOLS, policy: made.AssumeRolePolicyDocument, context };
    return [service(name), 'sts:AssumeRole', made.Arn, asked];
  };
  fact(`only the ${what} can use its role`, {
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

const runs = (who, name) => [who, ['codebuild:StartBuild', 'codebuild:BatchGetBuilds'], codebuild(name)];
const ofSeveral = role(several.PipelineRole);
fact('the pipeline runs its own projects and passes no role', {
  allowed: [
    ...['DEV-build', 'DEV-deploy', 'DEV-test'].map((name) => runs(pipelineRole, name)),
    ...['build', 'DEV-deploy', 'DEV-test', 'STAGE-deploy', 'STAGE-test', 'PROD-deploy', 'PROD-test'].map((name) =>
      runs(ofSeveral, name),
    ),
  ],
  denied: [
    [pipelineRole, 'codebuild:StartBuild', codebuild('PROD-deploy')],
    [pipelineRole, 'codebuild:StartBuild', codebuild('PROD-test')],
    [pipelineRole, 'codebuild:UpdateProject', codebuild('DEV-build')],
    [pipelineRole, 'iam:PassRole', DeployRole.Arn, passedTo('codebuild.amazonaws.com')],
    [ofSeveral, 'codebuild:StartBuild', codebuild('DEV-build')],
  ],
});

fact('a push starts this pipeline only', {
  allowed: [[pushRole, 'codepipeline:StartPipelineExecution', codepipeline('DEV')]],
  denied: [[pushRole, 'codepipeline:StartPipelineExecution', codepipeline('PROD')]],
});

const { ApprovalTopic, ApprovalTopicPolicy } = several;
const asks = (who, { tls = true, topic = ApprovalTopic.Arn } = {}) => [
  who,
  'sns:Publish',
  topic,
  { policy: ApprovalTopicPolicy.PolicyDocument, context: { 'aws:SecureTransport': `${tls}` } },
];
const usesKey = (who) => [
  who,
  ['kms:Decrypt', 'kms:GenerateDataKey'],
  several.Key.Arn,
  { owner: TOOLS, policy: several.Key.KeyPolicy },
];
fact('the pipeline asks for the approval, through an encrypted topic, and nobody else does', {
  allowed: [asks(ofSeveral), usesKey(ofSeveral)],
  denied: [
    asks(ofSeveral, { tls: false }),
    asks(ofSeveral, { topic: `${ApprovalTopic.Arn}-2` }),
    asks(pipelineRole),
    ...[several.BuildRole, stages.PROD.DeployRole, stages.PROD.TestRole].map((made) => asks(role(made))),
    asks(service('codepipeline.amazonaws.com')),
    usesKey(service('codepipeline.amazonaws.com')),
    usesKey(role(several.PushRole)),
  ],
});

const { ArtifactBucket, ArtifactBucketPolicy, Key } = dev.pipeline;
// CodePipeline truncates both names in a key. Its documentation shows myPipeline/SourceArti/KEYEXAMPLE for an artifact
// of the name SourceArtifact:
// docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
const artifactOf = (name) => `${ArtifactBucket.Arn}/product-catalog-serv/${name}/x1y2z3`;
const artifact = artifactOf('Source');
const reads = (who, name) => [who, ['s3:GetObject', 's3:GetObjectVersion'], artifactOf(name)];
const stores = (who, name) => [who, 's3:PutObject', artifactOf(name)];
const planRole = role(stages.PROD.DeployRole);
fact(
  'Build writes the package and nothing else that Deploy works with; Deploy writes nothing, and Test what nobody reads',
  {
    allowed: [
      stores(pipelineRole, 'Source'),
      ...['Source', 'Package'].map((name) => reads(pipelineRole, name)),
      reads(buildRole, 'Source'),
      stores(buildRole, 'Package'),
      ...[deployRole, planRole].flatMap((who) => ['Source', 'Package'].map((name) => reads(who, name))),
      reads(testRole, 'Source'),
      ...['Docs', 'StageDocs', 'ProdDocs'].map((name) => stores(testRole, name)),
    ],
    denied: [
      stores(buildRole, 'Source'),
      reads(buildRole, 'Package'),
      stores(pipelineRole, 'Package'),
      reads(testRole, 'Package'),
      ...[buildRole, deployRole, planRole].map((who) => stores(who, 'Docs')),
      ...[pipelineRole, buildRole, deployRole, planRole].map((who) => reads(who, 'Docs')),
      ...[deployRole, planRole, testRole].flatMap((who) => ['Source', 'Package'].map((name) => stores(who, name))),
      ...[pipelineRole, buildRole, deployRole, testRole].flatMap((who) => [
        [who, ['s3:GetObject', 's3:PutObject'], `${ArtifactBucket.Arn}/cache/x1y2z3`],
        [who, 's3:PutObject', `${ArtifactBucket.Arn}/product-catalog-serv/Other/x1y2z3`],
        [who, 's3:ListBucket', ArtifactBucket.Arn],
      ]),
    ],
  },
);

const decrypts = (who) => [who, ['kms:Decrypt', 'kms:DescribeKey'], Key.Arn, { policy: Key.KeyPolicy }];
const encryptsWith = (who) => [who, 'kms:GenerateDataKey', Key.Arn, { policy: Key.KeyPolicy }];
const hands = (who) => [reads(who, 'Source'), [who, 's3:GetBucketLocation', ArtifactBucket.Arn], decrypts(who)];
fact('the roles hand on artifacts, in one bucket and with one key, with which those encrypt who store', {
  allowed: [
    ...[pipelineRole, buildRole, deployRole, testRole].flatMap(hands),
    ...[pipelineRole, buildRole, testRole].map(encryptsWith),
  ],
  denied: [
    encryptsWith(deployRole),
    ...[pipelineRole, buildRole, deployRole, testRole].flatMap((who) => [
      [who, 's3:GetObject', 'arn:aws:s3:::another-bucket/x'],
      [who, 's3:ListBucket', ArtifactBucket.Arn],
      [who, 's3:DeleteObject', artifact],
      [who, 's3:DeleteObjectVersion', artifact],
      [who, 's3:PutBucketPolicy', ArtifactBucket.Arn],
      [who, 'kms:Decrypt', `${Key.Arn}-2`, { policy: Key.KeyPolicy }],
      [who, 'kms:PutKeyPolicy', Key.Arn, { policy: Key.KeyPolicy }],
    ]),
  ],
});

// The evaluator does not support the encryption context; another key with an ARN replaces it.
const withLogs = ({ KeyPolicy }) =>
  JSON.parse(JSON.stringify(KeyPolicy).replace('kms:EncryptionContext:aws:logs:arn', 'aws:SourceArn'));
const logsService = service(`logs.${REGION}.amazonaws.com`);
const encrypts = [
  ...['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyWithoutPlaintext'],
  ...['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
];
const encryptsLogs = (account, name, key = Key) => {
  const context = { 'aws:SourceArn': `arn:aws:logs:${REGION}:${account}:log-group:/aws/codebuild/${name}` };
  return [logsService, encrypts, key.Arn, { owner: TOOLS, policy: withLogs(key), context }];
};
const logsOf = (made) =>
  Object.values(made)
    .map(({ LogGroupName }) => LogGroupName?.split('/').at(-1))
    .filter(Boolean);
fact('CloudWatch encrypts the logs of the projects with the key, and no other log', {
  allowed: [
    ...logsOf(dev.pipeline).map((name) => encryptsLogs(TOOLS, name)),
    ...logsOf(several).map((name) => encryptsLogs(TOOLS, name, several.Key)),
  ],
  denied: [
    encryptsLogs(THIRD, 'product-catalog-service-DEV-build'),
    encryptsLogs(TOOLS, 'product-catalog-service-PROD-build'),
    encryptsLogs(TOOLS, 'payments'),
    encryptsLogs(TOOLS, 'payments', several.Key),
  ],
});

// What CloudFormation's schema of AWS::KMS::Key requires for an existing key, and to undo it.
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

const buildLogs = (name, stream = '1f2e') =>
  `arn:aws:logs:${REGION}:${TOOLS}:log-group:/aws/codebuild/product-catalog-service-${name}:log-stream:${stream}`;
const writes = (who, ...log) => [who, ['logs:CreateLogStream', 'logs:PutLogEvents'], buildLogs(...log)];
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

fact('each project writes its own log, in which the tests of a stage have streams of their own', {
  allowed: [
    writes(buildRole, 'DEV-build'),
    writes(deployRole, 'DEV-deploy'),
    writes(testRole, 'DEV-deploy', 'test/1f2e'),
    ...Object.entries(stages).flatMap(([stage, { DeployRole, TestRole }]) => [
      writes(role(DeployRole), `${stage}-deploy`),
      writes(role(TestRole), `${stage}-deploy`, 'test/1f2e'),
    ]),
  ],
  denied: [
    writes(buildRole, 'DEV-deploy'),
    writes(deployRole, 'DEV-build'),
    writes(testRole, 'DEV-build'),
    writes(testRole, 'DEV-deploy'),
    writes(role(stages.DEV.DeployRole), 'PROD-deploy'),
    writes(role(stages.DEV.TestRole), 'PROD-deploy', 'test/1f2e'),
  ],
});
