// The pipeline of pipeline/pipeline.yml: its names, its stages, and what cfn-lint does not check.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { delivery, pipeline, promotion } from './policies/evaluator.mjs';
import { root } from './workspace.mjs';

const single = pipeline();
const several = promotion();
const connected = pipeline({
  ConnectionArn: 'arn:aws:codeconnections:eu-central-1:111111111111:connection/7f3a',
  FullRepositoryId: 'owner/product-catalog',
});
const ownPipelines = { 'one stage': single, 'several stages': several, 'a connection': connected };
const made = (type, of) => Object.values(of).filter(({ Type }) => Type === type);
const stagesOf = ({ Pipeline }) => Pipeline.Stages.map(({ Name }) => Name);
const actionsOf = ({ Pipeline }) =>
  Pipeline.Stages.flatMap(({ Name, Actions }) => Actions.map((action) => ({ stage: Name, ...action })));
const DEPLOYING = ['Deploy', 'DEV', 'STAGE', 'PROD'];

test('the templates can be deployed without a bucket', () => {
  // CloudFormation's TemplateBody: docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
  for (const name of ['pipeline', 'delivery']) {
    const { size } = statSync(path.join(root, `pipeline/${name}.yml`));
    assert.ok(size < 51_200, `pipeline/${name}.yml has ${size} bytes of 51,200`);
  }
});

// ---- Names ---------------------------------------------------------------------------------------

const namesOf = (of) => ({
  pipeline: of.Pipeline.Name,
  rule: of.PushRule.Name,
  projects: made('AWS::CodeBuild::Project', of).map(({ Name }) => Name),
  roles: made('AWS::IAM::Role', of)
    .map(({ RoleName }) => RoleName)
    .filter(Boolean),
  logs: made('AWS::Logs::LogGroup', of).map(({ LogGroupName }) => LogGroupName),
});
test('a pipeline for one stage keeps the names from before there were several stages', () => {
  for (const stage of ['DEV', 'STAGE', 'PROD']) {
    const name = `product-catalog-service-${stage}`;
    assert.deepEqual(namesOf(pipeline({ DeploymentEnvironment: stage })), {
      pipeline: name,
      rule: `${name}-push`,
      projects: [`${name}-build`, `${name}-deploy`, `${name}-test`],
      roles: [`${name}-deploy`, `${name}-test`],
      logs: [`/aws/codebuild/${name}-build`, `/aws/codebuild/${name}-deploy`],
    });
  }
});

test('in a pipeline with several stages, a stage has the same names as in its own pipeline', () => {
  const name = 'product-catalog-service';
  const ofStages = ['DEV', 'STAGE', 'PROD'].flatMap((stage) => [`${name}-${stage}-deploy`, `${name}-${stage}-test`]);
  assert.deepEqual(namesOf(several), {
    pipeline: name,
    rule: `${name}-push`,
    projects: [`${name}-build`, ...ofStages],
    roles: ofStages,
    logs: ['build', 'DEV-deploy', 'STAGE-deploy', 'PROD-deploy'].map((log) => `/aws/codebuild/${name}-${log}`),
  });
});

test('the resources of the first stage keep their logical ids, so that an update does not replace its roles', () => {
  const ids = ['BuildProject', 'BuildRole', 'BuildLogs', 'DeployProject', 'DeployRole', 'DeployLogs', 'PipelineRole'];
  for (const id of ids) assert.ok(id in single && id in several, id);
});

// ---- Stages --------------------------------------------------------------------------------------

test('a stage exists when its account is given', () => {
  assert.deepEqual(stagesOf(single), ['Source', 'Build', 'Deploy']);
  assert.deepEqual(stagesOf(several), ['Source', 'Build', 'DEV', 'STAGE', 'Approval', 'PROD']);
  assert.deepEqual(stagesOf(promotion({ StageAccountID: '' })), ['Source', 'Build', 'DEV', 'Approval', 'PROD']);
  assert.deepEqual(stagesOf(promotion({ ProdAccountID: '' })), ['Source', 'Build', 'DEV', 'STAGE']);
  assert.deepEqual(stagesOf(promotion({ DevAccountID: '', StageAccountID: '' })), [
    'Source',
    'Build',
    'Approval',
    'PROD',
  ]);
});

test('contradictory parameters are rejected with a fix', () => {
  const none = { DevAccountID: '', StageAccountID: '', ProdAccountID: '' };
  for (const [parameters, message] of [
    [none, /Set TargetAccountID, or at least one of/],
    [{ TargetAccountID: '222222222222' }, /TargetAccountID cannot be combined with/],
    [
      { ...none, TargetAccountID: '222222222222', ProdAccountID: '444444444444' },
      /TargetAccountID cannot be combined with/,
    ],
    [{ DeploymentEnvironment: 'PROD' }, /DeploymentEnvironment requires TargetAccountID/],
    [{ DeployRoleName: 'ci-deploy' }, /DeployRoleName requires TargetAccountID/],
    [{ ProdAccountID: '', ApprovalEmail: 'owner@example.com' }, /ApprovalEmail requires ProdAccountID/],
    [
      { ConnectionArn: connected.Pipeline.Stages[0].Actions[0].Configuration.ConnectionArn },
      /ConnectionArn requires FullRepositoryId/,
    ],
    [{ ProdAccountID: '4444-4444-4444' }, /ProdAccountID 4444-4444-4444 does not match/],
    [{ ApprovalEmail: 'nobody' }, /ApprovalEmail nobody does not match/],
  ])
    assert.throws(() => promotion(parameters), message);
});

// cfn-lint checks none of these values.
test('each stage that deploys is tested in the same stage, and rolled back if either fails', () => {
  for (const of of Object.values(ownPipelines)) {
    for (const { Name, Actions, OnFailure, ...others } of of.Pipeline.Stages) {
      assert.deepEqual(others, {}, `${Name} has no further condition`);
      const deploys = DEPLOYING.includes(Name);
      assert.deepEqual(OnFailure, deploys ? { Result: 'ROLLBACK' } : undefined, Name);
      if (!deploys) continue;
      assert.deepEqual(
        Actions.map(({ Name, RunOrder }) => [Name, RunOrder]),
        [
          ['Deploy', 1],
          ['Test', 2],
        ],
      );
    }
  }
});

// docs.aws.amazon.com/codepipeline/latest/userguide/actions-valid-providers.html, and the configuration of each on its page.
const DOCUMENTED = {
  'Source CodeCommit': ['RepositoryName', 'BranchName', 'PollForSourceChanges'],
  'Source CodeStarSourceConnection': ['ConnectionArn', 'FullRepositoryId', 'BranchName', 'DetectChanges'],
  'Build CodeBuild': ['ProjectName', 'PrimarySource', 'EnvironmentVariables'],
  'Test CodeBuild': ['ProjectName', 'PrimarySource', 'EnvironmentVariables'],
  'Approval Manual': ['NotificationArn', 'CustomData', 'ExternalEntityLink'],
};
test('each action has a documented type and configuration', () => {
  for (const of of Object.values(ownPipelines)) {
    for (const { stage, Name, ActionTypeId, Configuration } of actionsOf(of)) {
      const { Category, Owner, Provider, Version } = ActionTypeId;
      assert.deepEqual([Owner, Version], ['AWS', '1']);
      const known = DOCUMENTED[`${Category} ${Provider}`];
      assert.ok(known, `${stage} ${Name}: ${Category} ${Provider}`);
      for (const [key, value] of Object.entries(Configuration)) {
        assert.ok(known.includes(key), `${stage} ${Name}: ${key}`);
        // ActionConfigurationValue of the API, before variables are resolved.
        assert.ok(`${value}`.length <= 1000, `${stage} ${Name}: ${key} is too long`);
      }
    }
  }
});

// ---- Artifacts -----------------------------------------------------------------------------------

test('the key of an artifact contains its full name, on which the roles depend', () => {
  for (const of of Object.values(ownPipelines)) {
    const written = [];
    for (const { InputArtifacts = [], OutputArtifacts = [], Configuration, ...action } of actionsOf(of)) {
      const read = InputArtifacts.map(({ Name }) => Name);
      for (const name of read) assert.ok(written.includes(name), `${action.Name} reads ${name}`);
      if (read.length > 1) assert.equal(Configuration.PrimarySource, 'Source', action.Name);
      written.push(...OutputArtifacts.map(({ Name }) => Name));
    }
    const docs = ['Docs', 'StageDocs', 'ProdDocs'].filter((name) => written.includes(name));
    assert.deepEqual(written, ['Source', 'Package', ...docs]);
    assert.equal(docs.length, actionsOf(of).filter(({ Name }) => Name === 'Test').length);
    // CodePipeline truncates it to 10 characters.
    for (const name of written) assert.ok(name.length <= 10, name);
  }
});

test('a stage can be rolled back for a year', () => {
  const [{ ExpirationInDays }] = several.ArtifactBucket.LifecycleConfiguration.Rules;
  assert.equal(ExpirationInDays, 365);
});

// ---- Variables -----------------------------------------------------------------------------------

// docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
const OF_A_SOURCE = {
  CodeCommit: ['AuthorDate', 'BranchName', 'CommitId', 'CommitMessage', 'CommitterDate', 'RepositoryName'],
  CodeStarSourceConnection: [
    'AuthorDate',
    'BranchName',
    'CommitId',
    'CommitMessage',
    'ConnectionArn',
    'FullRepositoryName',
  ],
};
const exported = (of, project) => {
  const { Source } = made('AWS::CodeBuild::Project', of).find(({ Name }) => Name === project);
  return parse(readFileSync(path.join(root, Source.BuildSpec), 'utf8')).env['exported-variables'] ?? [];
};
/** The variables in a text, as [namespace, name]. */
const variables = (text) => [...`${text}`.matchAll(/#\{([^.}]+)\.([^}]+)\}/g)].map(([, ...variable]) => variable);
const texts = ({ Configuration }) => Object.values(Configuration);

test('each variable is exported by an earlier action, in its own namespace', () => {
  for (const [what, of] of Object.entries(ownPipelines)) {
    const known = new Map();
    for (const action of actionsOf(of)) {
      for (const [namespace, name] of texts(action).flatMap(variables)) {
        assert.ok(
          known.get(namespace)?.includes(name),
          `${what}: ${action.stage} ${action.Name}: ${namespace}.${name}`,
        );
      }
      const { Namespace, ActionTypeId, Configuration } = action;
      if (!Namespace) continue;
      // ActionNamespace of the API. Two are CodePipeline's own.
      assert.match(Namespace, /^[A-Za-z0-9@_-]{1,100}$/);
      assert.ok(!['codepipeline', 'variables'].includes(Namespace) && !known.has(Namespace), Namespace);
      known.set(Namespace, OF_A_SOURCE[ActionTypeId.Provider] ?? exported(of, Configuration.ProjectName));
    }
  }
});

test('EnvironmentVariables is valid JSON, whatever the commit message', () => {
  const given = {};
  for (const action of actionsOf(several)) {
    const { EnvironmentVariables } = action.Configuration;
    if (!EnvironmentVariables) continue;
    // CodePipeline does not escape a commit message, and a quote ends the string: github.com/aws/aws-cdk/issues/8458.
    // Only exports of our own scripts are inserted here.
    for (const [namespace] of variables(EnvironmentVariables)) assert.notEqual(namespace, 'Source');
    const list = JSON.parse(EnvironmentVariables);
    for (const each of list) assert.deepEqual(Object.keys(each), ['name', 'value']);
    given[`${action.stage} ${action.Name}`] = Object.fromEntries(list.map(({ name, value }) => [name, value]));
  }
  const RELEASE = '#{Build.RELEASE}';
  const ofTest = (stage) => ({ RELEASE, ENDPOINT: `#{${stage}.ENDPOINT}`, REQUIRES_KEY: `#{${stage}.REQUIRES_KEY}` });
  assert.deepEqual(given, {
    'DEV Deploy': { RELEASE },
    'DEV Test': ofTest('DEV'),
    'STAGE Deploy': { RELEASE },
    'STAGE Test': ofTest('STAGE'),
    'Approval Plan': { RELEASE, COMMAND: 'plan' },
    'PROD Deploy': { RELEASE },
    'PROD Test': ofTest('PROD'),
  });
});

test('the approval says what will be released, and links to the log of the plan', () => {
  const [, { Configuration }] = several.Pipeline.Stages.find(({ Name }) => Name === 'Approval').Actions;
  const resolved = (text) =>
    text.replace(/#\{([^}]+)\}/g, (_, name) => {
      const values = {
        'Build.RELEASE': '5a7e',
        'Plan.CHANGES': '1 function changes: create',
        'Plan.CODEBUILD_LOG_PATH': '1f2e-3d4c',
        'Source.CommitId': 'c0ffee',
        'Source.CommitMessage': 'Say "sold out"\n\nAs a catalog must.',
      };
      assert.ok(name in values, name);
      return values[name];
    });
  assert.equal(
    resolved(Configuration.CustomData),
    'Changes: 1 function changes: create. Release 5a7e, commit c0ffee: Say "sold out"\n\nAs a catalog must.',
  );
  // Like "deep-link" in docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications-ref.html
  assert.equal(
    resolved(Configuration.ExternalEntityLink),
    'https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logEvent:' +
      'group=/aws/codebuild/product-catalog-service-PROD-deploy;stream=1f2e-3d4c',
  );
  assert.equal(Configuration.NotificationArn, several.ApprovalTopic.Arn);
});

test('an approval is requested by email if an address is set', () => {
  const asked = (ApprovalEmail) => promotion({ ApprovalEmail }).ApprovalTopic.Subscription;
  assert.deepEqual(asked('owner@example.com'), [{ Endpoint: 'owner@example.com', Protocol: 'email' }]);
  assert.equal(asked(''), undefined);
  assert.equal(single.ApprovalTopic, undefined);
  assert.deepEqual(delivery().FailedStageTopic.Subscription, undefined);
});

// ---- Projects ------------------------------------------------------------------------------------

test('the projects have the variables that their scripts read', () => {
  const names = ({ Environment }) => Environment.EnvironmentVariables.map(({ Name }) => Name);
  for (const of of Object.values(ownPipelines)) {
    for (const project of made('AWS::CodeBuild::Project', of)) {
      const expected = project.Name.endsWith('-build')
        ? ['TARGETS', 'TABLE_NAME', 'ARCHITECTURE']
        : ['STAGE', 'TARGET_ACCOUNT_ID', 'CROSS_ACCOUNT_ROLE', 'EXTERNAL_ID'];
      assert.deepEqual(names(project), expected, project.Name);
    }
  }
});

test('the tests of STAGE are compiled on the machine that builds', () => {
  const machine = (of, id) => of[id].Environment.ComputeType;
  const [build, deploy] = ['BUILD_GENERAL1_LARGE', 'BUILD_GENERAL1_SMALL'];
  assert.deepEqual(
    ['TestProject', 'StageTestProject', 'ProdTestProject'].map((id) => machine(several, id)),
    [deploy, build, deploy],
  );
  assert.equal(machine(pipeline({ DeploymentEnvironment: 'STAGE' }), 'TestProject'), build);
  assert.equal(machine(pipeline({ DeploymentEnvironment: 'PROD' }), 'TestProject'), deploy);
});
