// The alarms: who can notify the topic.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from '../template.mjs';
import {
  administrator,
  deploymentRole,
  dev,
  executionRole,
  fact,
  iam,
  prod,
  REGION,
  service,
  TARGET,
  THIRD,
  topic,
} from './evaluator.mjs';

const alarmTopic = topic('product-catalog-service-DEV-alarms');
/** The topic's policy for DEV, as osls and CloudFormation resolve scripts/osls/observability.yml. */
const alarmTopicPolicy = JSON.parse(
  JSON.stringify(read('scripts/osls/observability.yml').AlarmTopicPolicy.Properties.PolicyDocument)
    .replaceAll('{"Ref":"AlarmTopic"}', JSON.stringify(alarmTopic))
    .replaceAll('{"Ref":"AWS::AccountId"}', JSON.stringify(TARGET))
    .replaceAll(/\{"Fn::Sub":("[^"]*")\}/g, '$1')
    .replaceAll('${self:service}-${self:provider.stage}', 'product-catalog-service-DEV')
    .replaceAll('${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}', `aws:cloudwatch:${REGION}:${TARGET}`),
);
assert.doesNotMatch(JSON.stringify(alarmTopicPolicy), /\$\{|Fn::|Ref/);
const { AlarmKey } = dev.execution;
const cloudWatch = service('cloudwatch.amazonaws.com');
/** The permissions for publishing to the encrypted topic, for an alarm of this account or another. */
const publishes = (who, { name = 'product-catalog-service-DEV-errors', account = TARGET, tls = true } = {}) => {
  const context = {
    'aws:SourceAccount': account,
    'aws:SourceArn': `arn:aws:cloudwatch:${REGION}:${account}:alarm:${name}`,
    'aws:SecureTransport': `${tls}`,
  };
  const topic = [who, 'sns:Publish', alarmTopic, { owner: TARGET, policy: alarmTopicPolicy, context }];
  const asked = { owner: TARGET, policy: AlarmKey.KeyPolicy, context };
  const key = [who, ['kms:Decrypt', 'kms:GenerateDataKey'], AlarmKey.Arn, asked];
  return [topic, key];
};
const others = [
  publishes(cloudWatch, { account: THIRD }),
  publishes(cloudWatch, { name: 'product-catalog-service-PROD-errors' }),
  publishes(service('events.amazonaws.com')),
  publishes(administrator(iam('administrators', THIRD))),
];
fact('the alarms of this stage wake somebody, and those of no other stage and account', {
  allowed: publishes(cloudWatch),
  denied: others.flat(),
});

fact('nothing is published without TLS', {
  allowed: publishes(cloudWatch).slice(0, 1),
  denied: publishes(cloudWatch, { tls: false }).slice(0, 1),
});

const keyIs = (who, actions) => {
  const asked = { owner: TARGET, policy: AlarmKey.KeyPolicy };
  return [who, actions.map((action) => `kms:${action}`), AlarmKey.Arn, asked];
};
const keyKeeper = administrator(iam('administrators'));
fact("the alarms' key is kept by an administrator, who cannot use it, and reached by no deployment", {
  allowed: [keyIs(keyKeeper, ['PutKeyPolicy', 'ScheduleKeyDeletion'])],
  denied: [
    keyIs(keyKeeper, ['Decrypt', 'GenerateDataKey', 'Encrypt']),
    keyIs(executionRole, ['PutKeyPolicy', 'ScheduleKeyDeletion', 'GenerateDataKey']),
    keyIs(deploymentRole, ['PutKeyPolicy', 'ScheduleKeyDeletion', 'GenerateDataKey']),
    [executionRole, 'kms:CreateKey', '*'],
  ],
});

test('the topic uses the key of its stage', () => {
  const { KmsMasterKeyId } = read('scripts/osls/observability.yml').AlarmTopic.Properties;
  for (const [stage, { execution }] of Object.entries({ DEV: dev, PROD: prod })) {
    const alias = KmsMasterKeyId.replace('${self:service}-${self:provider.stage}', `product-catalog-service-${stage}`);
    assert.equal(alias, execution.AlarmKeyAlias.AliasName);
    assert.equal(execution.AlarmKey.EnableKeyRotation, true);
  }
});
