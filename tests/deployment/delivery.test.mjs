// pipeline/delivery.yml: which events it accepts, what it computes from them, and who can send them.
//
// Not shown: that Logs Insights and metric math accept the dashboard's queries (cloudwatch.mjs is a fake), that
// CodePipeline sends no event for the stage Source in a rollback, and that EventBridge delivers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filters, insights, metricMath } from './cloudwatch.mjs';
import { administrator, delivery, fact, iam, list, REGION, service, THIRD, TOOLS } from './policies/evaluator.mjs';

const {
  Dashboard,
  FailedMetric,
  FailedStageRule,
  FailedStageTopic,
  FailedStageTopicPolicy,
  Key,
  RestoredMetric,
  ...rest
} = delivery();
const { StageLog, StageLogPolicy, StageRule } = rest;

// ---- Events --------------------------------------------------------------------------------------

const PAGE = 'docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html';
// The examples of that page, where two values of the first example lack quotes.
const documented = {
  'a stage started': {
    version: '0',
    id: '01234567-EXAMPLE',
    'detail-type': 'CodePipeline Stage Execution State Change',
    source: 'aws.codepipeline',
    account: '123456789012',
    time: '2020-01-24T22:03:07Z',
    region: 'us-east-1',
    resources: ['arn:aws:codepipeline:us-east-1:123456789012:myPipeline'],
    detail: {
      pipeline: 'myPipeline',
      version: 1.0,
      'execution-id': '12345678-1234-5678-abcd-12345678abcd',
      'start-time': '2023-10-26T13:49:39.208Z',
      stage: 'Prod',
      state: 'STARTED',
      'pipeline-execution-attempt': 1.0,
    },
  },
  'a stage resumed': {
    version: '0',
    id: '38656bcd-a798-5f92-c738-02a71be484e1',
    'detail-type': 'CodePipeline Stage Execution State Change',
    source: 'aws.codepipeline',
    account: '123456789012',
    time: '2023-10-26T14:14:56Z',
    region: 'eu-central-1',
    resources: ['arn:aws:codepipeline:eu-central-1:123456789012:BuildFromTag'],
    detail: {
      pipeline: 'BuildFromTag',
      'execution-id': '05dafb6a-5a56-4951-a858-968795364846',
      'stage-last-retry-attempt-time': '2023-10-26T14:14:56.305Z',
      stage: 'Build',
      state: 'RESUMED',
      version: 32.0,
      'pipeline-execution-attempt': 2.0,
    },
  },
  'a pipeline failed': {
    version: '0',
    id: '01234567-EXAMPLE',
    'detail-type': 'CodePipeline Pipeline Execution State Change',
    source: 'aws.codepipeline',
    account: '123456789012',
    time: '2020-01-31T18:55:43Z',
    region: 'us-west-2',
    resources: ['arn:aws:codepipeline:us-west-2:123456789012:myPipeline'],
    detail: {
      pipeline: 'myPipeline',
      'execution-id': '12345678-1234-5678-abcd-12345678abcd',
      'start-time': '2023-10-26T13:49:39.208Z',
      state: 'FAILED',
      version: 4.0,
      'pipeline-execution-attempt': 1.0,
    },
  },
  'an action started': {
    version: '0',
    id: '01234567-EXAMPLE',
    'detail-type': 'CodePipeline Action Execution State Change',
    source: 'aws.codepipeline',
    account: '123456789012',
    time: '2020-01-24T22:03:07Z',
    region: 'us-east-1',
    resources: ['arn:aws:codepipeline:us-east-1:123456789012:myPipeline'],
    detail: {
      pipeline: 'myPipeline',
      'execution-id': '12345678-1234-5678-abcd-12345678abcd',
      'start-time': '2023-10-26T13:51:09.981Z',
      stage: 'Prod',
      'action-execution-id': '47f821c5-a902-44b2-ae61-b878d31ecd21',
      action: 'myAction',
      state: 'STARTED',
      type: { owner: 'AWS', category: 'Deploy', provider: 'CodeDeploy', version: '1' },
      version: 2.0,
      'pipeline-execution-attempt': 1.0,
    },
  },
};
/** A documented event, of our pipeline in our account, with other details. */
const ours = (name, detail = {}, { pipeline = 'product-catalog-service', account = TOOLS, ...others } = {}) => {
  const event = documented[name];
  return {
    ...event,
    account,
    region: REGION,
    resources: [`arn:aws:codepipeline:${REGION}:${account}:${pipeline}`],
    detail: { ...event.detail, pipeline, ...detail },
    ...others,
  };
};
/** Whether a pattern of exact values matches an event, as EventBridge documents it. */
const takes = (pattern, event) =>
  Object.entries(pattern).every(([name, expected]) =>
    Array.isArray(expected)
      ? list(event?.[name]).some((value) => expected.includes(value))
      : takes(expected, event?.[name]),
  );

const failed = ours('a stage started', { stage: 'PROD', state: 'FAILED' });
const others = {
  'another state': ['STARTED', 'SUCCEEDED', 'STOPPING', 'STOPPED', 'CANCELED'].map((state) =>
    ours('a stage started', { stage: 'PROD', state }),
  ),
  'a retry': [ours('a stage resumed')],
  'the pipeline, whose stage was notified': [ours('a pipeline failed')],
  'an action, whose stage will be notified': [ours('an action started', { state: 'FAILED' })],
};
const foreign = {
  'another pipeline': ['product-catalog-service-DEV', 'payments'].map((pipeline) =>
    ours('a stage started', failed.detail, { pipeline }),
  ),
  'another account': [ours('a stage started', failed.detail, { account: THIRD })],
  'another source': [{ ...failed, source: 'product-catalog' }],
  'the examples as they stand': Object.values(documented),
};

test('every failed stage causes a notification, and nothing else does', () => {
  for (const stage of ['Source', 'Build', 'DEV', 'Approval', 'PROD', 'Deploy']) {
    assert.ok(takes(FailedStageRule.EventPattern, ours('a stage started', { stage, state: 'FAILED' })), stage);
  }
  for (const [what, events] of Object.entries({ ...others, ...foreign })) {
    for (const event of events) assert.ok(!takes(FailedStageRule.EventPattern, event), `${what}: ${PAGE}`);
  }
});

test('every stage change of this pipeline is recorded, and nothing else', () => {
  for (const event of [failed, ...others['another state'], ...others['a retry']]) {
    assert.ok(takes(StageRule.EventPattern, event), event.detail.state);
  }
  const unrelated = { ...others, ...foreign, 'another state': [], 'a retry': [] };
  for (const [what, events] of Object.entries(unrelated)) {
    for (const event of events) assert.ok(!takes(StageRule.EventPattern, event), `${what}: ${PAGE}`);
  }
});

test('the message names the stage and links to the execution', () => {
  const [{ InputTransformer }] = FailedStageRule.Targets;
  const values = Object.fromEntries(
    Object.entries(InputTransformer.InputPathsMap).map(([name, path]) => [
      name,
      path
        .split('.')
        .slice(1)
        .reduce((value, key) => value[key], failed),
    ]),
  );
  const message = InputTransformer.InputTemplate.replace(/<(\w+)>/g, (_, name) => values[name]);
  assert.equal(
    JSON.parse(message),
    'The stage PROD of the pipeline product-catalog-service failed: https://console.aws.amazon.com/codesuite/codepipeline/' +
      'pipelines/product-catalog-service/executions/12345678-1234-5678-abcd-12345678abcd/timeline?region=eu-central-1',
  );
});

// ---- Figures -------------------------------------------------------------------------------------

/** Stage events: what happened to each execution, with the time as hours:minutes. */
const happened = (executions) =>
  Object.entries(executions).flatMap(([id, states]) =>
    Object.entries(states).map(([time, what]) => {
      const [stage, state] = what.split(' ');
      return ours('a stage started', { 'execution-id': id, stage, state }, { time: `2026-11-26T${time}:00Z` });
    }),
  );
const history = (release) =>
  happened({
    good: { '00:00': 'Source STARTED', '00:01': 'Source SUCCEEDED', '01:00': `${release} SUCCEEDED` },
    'rolled back': { '02:00': 'Source STARTED', '02:59': `${release} STARTED`, '03:00': `${release} FAILED` },
    rollback: { '03:01': `${release} STARTED`, '03:20': `${release} SUCCEEDED` },
    'stopped before': { '04:00': 'Source STARTED', '04:10': 'Build FAILED' },
    retried: {
      '05:00': 'Source STARTED',
      '06:00': `${release} FAILED`,
      '06:10': `${release} RESUMED`,
      '06:40': `${release} SUCCEEDED`,
    },
    'rolled back by hand': { '08:00': `${release} STARTED`, '08:20': `${release} SUCCEEDED` },
  });
/** EventBridge delivers at least once, in no particular order. */
const asDelivered = (events) => [...events, ...events.slice(2, 6)].reverse();

const dashboard = (made) => JSON.parse(made.Dashboard.DashboardBody);
const widget = (made, title) => dashboard(made).widgets.find(({ properties }) => properties.title.startsWith(title));
function figures(made, events) {
  const { log, rows } = insights(widget(made, 'Deployment frequency').properties.query, events);
  assert.equal(log, made.StageLog.LogGroupName);
  return rows;
}
function timeToRestore(made, events) {
  const { metrics, stat, period } = widget(made, 'Time to restore').properties;
  assert.equal(stat, 'Minimum');
  const expressions = Object.fromEntries(
    metrics.filter(([first]) => first.expression).map(([{ id, expression }]) => [id, expression]),
  );
  const [[namespace, name, { id }]] = metrics.filter(([first]) => typeof first === 'string');
  const values = [];
  for (const { FilterPattern, MetricTransformations } of [made.FailedMetric, made.RestoredMetric]) {
    const [{ MetricNamespace, MetricName, MetricValue }] = MetricTransformations;
    assert.deepEqual([MetricNamespace, MetricName], [namespace, name]);
    for (const event of events.filter((event) => filters(FilterPattern, event))) {
      const i = Math.floor((Date.parse(event.time) - Date.parse('2026-11-26T00:00:00Z')) / 1000 / period);
      values[i] = Math.min(values[i] ?? 1, Number(MetricValue));
    }
  }
  const [visible] = metrics.filter(([first]) => first.expression && first.visible !== false);
  const everyPeriod = Array.from({ length: 86400 / period }, (_, i) => values[i]);
  return metricMath(expressions, { [id]: everyPeriod })(visible[0].id);
}

for (const [release, made] of [
  ['PROD', delivery()],
  ['Deploy', delivery({ PipelineName: 'product-catalog-service-DEV', ReleaseStage: 'Deploy' })],
]) {
  test(`the four figures of a pipeline that releases in ${release}`, () => {
    const events = asDelivered(history(release));
    const [{ changeFailureRateInPercent, ...counted }, ...more] = figures(made, events);
    assert.deepEqual(more, []);
    // Two changes arrived, after 60 and 100 minutes. Of three that were tried, two failed at first.
    assert.deepEqual(counted, { deployments: 2, leadTimeInMinutes: 80 });
    assert.equal(Math.round(changeFailureRateInPercent), 67);
    // 20 minutes until the rollback had succeeded, and 40 until the retry had.
    assert.deepEqual(timeToRestore(made, events), [30]);
  });
}

test('a stage before the one that releases changes no figure', () => {
  const events = happened({
    one: { '00:00': 'Source STARTED', '00:30': 'DEV FAILED' },
    two: { '00:31': 'DEV SUCCEEDED' },
  });
  assert.deepEqual(figures(delivery(), events), []);
  assert.deepEqual(timeToRestore(delivery(), events), [Number.NaN]);
});

test('a release that is still failed counts until now', () => {
  const events = happened({
    one: { '00:00': 'Source STARTED', '01:00': 'PROD SUCCEEDED' },
    two: { '23:00': 'PROD FAILED' },
  });
  assert.deepEqual(timeToRestore(delivery(), events), [60]);
});

test('the parameters are validated', () => {
  for (const wrong of [
    { PipelineName: 'a pipeline' },
    { PipelineName: '"' },
    { ReleaseStage: 'Build' },
    { NotificationEmail: 'nobody' },
  ])
    assert.throws(() => delivery(wrong), /does not match|is not allowed/);
});

// ---- Permissions ---------------------------------------------------------------------------------

const eventBridge = service('events.amazonaws.com');
const from = ({ Arn }, tls = true) => ({ 'aws:SourceArn': Arn, 'aws:SecureTransport': `${tls}` });
const publishes = (who, context) => [
  who,
  'sns:Publish',
  FailedStageTopic.Arn,
  { owner: TOOLS, policy: FailedStageTopicPolicy.PolicyDocument, context },
];
const usesKey = (who, actions = ['Decrypt', 'GenerateDataKey']) => [
  who,
  actions.map((action) => `kms:${action}`),
  Key.Arn,
  { owner: TOOLS, policy: Key.KeyPolicy },
];
const keeper = administrator(iam('administrators', TOOLS));
fact('the rule publishes failed stages to an encrypted topic, and nobody else does', {
  allowed: [publishes(eventBridge, from(FailedStageRule)), usesKey(eventBridge)],
  denied: [
    publishes(eventBridge, from(StageRule)),
    publishes(eventBridge, from(FailedStageRule, false)),
    publishes(eventBridge, { 'aws:SecureTransport': 'true' }),
    publishes(service('cloudwatch.amazonaws.com'), from(FailedStageRule)),
    publishes(administrator(iam('administrators', THIRD)), from(FailedStageRule)),
    usesKey(service('cloudwatch.amazonaws.com')),
    usesKey(administrator(iam('administrators', THIRD))),
  ],
});

fact('the key is kept by an administrator of its account, who cannot use it', {
  allowed: [usesKey(keeper, ['PutKeyPolicy', 'ScheduleKeyDeletion'])],
  denied: [usesKey(keeper), usesKey(administrator(iam('administrators', THIRD)), ['PutKeyPolicy'])],
});

const logPolicy = JSON.parse(StageLogPolicy.PolicyDocument);
const logs = (who, action, context, log = StageLog.Arn.replace(/\*$/, 'log-stream:1')) => [
  who,
  `logs:${action}`,
  log,
  { owner: TOOLS, policy: logPolicy, context },
];
fact('the rule writes the log of the stages, and no other', {
  allowed: [
    logs(eventBridge, 'CreateLogStream', from(StageRule)),
    logs(eventBridge, 'PutLogEvents', from(StageRule)),
    logs(service('delivery.logs.amazonaws.com'), 'PutLogEvents', from(StageRule)),
  ],
  denied: [
    logs(eventBridge, 'PutLogEvents', from(FailedStageRule)),
    logs(
      eventBridge,
      'PutLogEvents',
      from(StageRule),
      `arn:aws:logs:${REGION}:${TOOLS}:log-group:payments:log-stream:1`,
    ),
    logs(eventBridge, 'DeleteLogStream', from(StageRule)),
    logs(service('cloudwatch.amazonaws.com'), 'PutLogEvents', from(StageRule)),
  ],
});

test('the targets of the rules match their policies, and everything is encrypted with one key', () => {
  assert.deepEqual(
    FailedStageRule.Targets.map(({ Arn }) => Arn),
    [FailedStageTopic.Arn],
  );
  assert.deepEqual(
    StageRule.Targets.map(({ Arn }) => `${Arn}:*`),
    [StageLog.Arn],
  );
  assert.deepEqual([FailedStageTopic.KmsMasterKeyId, StageLog.KmsKeyId], [Key.Arn, Key.Arn]);
  assert.ok(
    FailedMetric.LogGroupName === StageLog.LogGroupName && RestoredMetric.LogGroupName === StageLog.LogGroupName,
  );
  assert.equal(Dashboard.DashboardName, 'product-catalog-service-delivery');
});
