'use strict';

const { createHash } = require('node:crypto');
const { functionsOfApi } = require('./functions.js');

// CodeDeploy's configurations for Lambda (CodeDeployDefault.*) that take at most 15 minutes. A deployment's credentials
// last an hour, which must also be enough for a stopped shift to roll back completely.
const PACES = [
  'LambdaAllAtOnce',
  'LambdaCanary10Percent5Minutes',
  'LambdaCanary10Percent10Minutes',
  'LambdaCanary10Percent15Minutes',
  'LambdaLinear10PercentEvery1Minute',
];

// Shifts the traffic of every function with an http event to its new version, at the pace of `custom.traffic`: the API
// calls the alias `live`. CodeDeploy first runs the function `check`, which tests the new versions, and then moves the
// alias.
//
// serverless.yml cannot contain these resources, because the name of a version exists only when osls packages. The
// roles, the application and the alarm are in serverless.yml.
class Traffic {
  constructor(serverless) {
    const { service } = serverless;
    const aim = () => {
      const { traffic } = service.custom;
      if (!PACES.includes(traffic))
        throw new serverless.classes.Error(
          `traffic must be ${PACES.slice(0, -1).join(', ')} or ${PACES.at(-1)}, but is '${traffic}': the credentials of a deployment last an hour, so a shift can take at most 15 minutes`,
          'INVALID_TRAFFIC',
        );
      // Events call the alias. osls sets this property itself for functions with provisioned concurrency.
      for (const { definition, id } of functionsOfApi(service))
        definition.targetAlias = { name: 'live', logicalId: `${id}Live` };
    };

    const finish = () => {
      const template = service.provider.compiledCloudFormationTemplate;
      const { Resources } = template;
      const functions = functionsOfApi(service);
      for (const { definition, id } of functions) renameVersion(template, definition, id);
      // Replaces the environment of the other functions, because the check needs no table.
      Resources.CheckLambdaFunction.Properties.Environment = {
        Variables: Object.fromEntries(
          functions.map(({ name, definition }) => [variable(name), { Ref: definition.versionLogicalId }]),
        ),
      };
      for (const { definition, id } of functions) {
        Resources[`${id}Live`] = alias(id, definition);
        Resources[`${id}Traffic`] = group(definition.name, service.custom.traffic);
      }
    };

    this.hooks = {
      'before:package:compileFunctions': aim,
      // After the other plugins, which also change functions: this one is the last in serverless.yml.
      'after:aws:package:finalize:mergeCustomProviderResources': finish,
    };
  }
}

const variable = (name) => name.toUpperCase().replaceAll('-', '_');

// CloudFormation publishes a version when its name is new. osls derives the name from the function before it sets the
// log level and before plugins change it, so such a change would never reach a caller. This derives it from exactly
// what Lambda stores in a version: Lambda refuses to publish the same version twice.
function renameVersion({ Resources, Outputs }, definition, id) {
  const { versionLogicalId: before } = definition;
  const version = Resources[before];
  const { Code, ReservedConcurrentExecutions, Tags, ...kept } = Resources[`${id}LambdaFunction`].Properties;
  const hash = createHash('sha256')
    .update(JSON.stringify([version.Properties.CodeSha256, kept]))
    .digest('hex');
  const after = `${id}LambdaVersion${hash}`;

  delete Resources[before];
  // A version that callers have used is kept, so that the alias can return to it. One whose deployment fails is
  // deleted, so that it can be deployed again.
  Resources[after] = { ...version, DeletionPolicy: 'RetainExceptOnCreate' };
  for (const output of Object.values(Outputs)) if (output.Value?.Ref === before) output.Value.Ref = after;
  definition.versionLogicalId = after;
}

const alias = (id, { versionLogicalId }) => ({
  Type: 'AWS::Lambda::Alias',
  // Otherwise, the previous check would test the previous versions, and the previous pace would apply.
  DependsOn: ['CheckLambdaFunction', `${id}Traffic`],
  Properties: {
    Name: 'live',
    FunctionName: { Ref: `${id}LambdaFunction` },
    FunctionVersion: { 'Fn::GetAtt': [versionLogicalId, 'Version'] },
  },
  UpdatePolicy: {
    CodeDeployLambdaAliasUpdate: {
      ApplicationName: { Ref: 'Traffic' },
      DeploymentGroupName: { Ref: `${id}Traffic` },
      BeforeAllowTrafficHook: { Ref: 'CheckLambdaFunction' },
    },
  },
});

const group = (name, pace) => ({
  Type: 'AWS::CodeDeploy::DeploymentGroup',
  Properties: {
    ApplicationName: { Ref: 'Traffic' },
    DeploymentGroupName: name,
    ServiceRoleArn: { 'Fn::GetAtt': ['TrafficRole', 'Arn'] },
    DeploymentConfigName: `CodeDeployDefault.${pace}`,
    DeploymentStyle: { DeploymentType: 'BLUE_GREEN', DeploymentOption: 'WITH_TRAFFIC_CONTROL' },
    AutoRollbackConfiguration: {
      Enabled: true,
      Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST'],
    },
    AlarmConfiguration: { Enabled: true, IgnorePollAlarmFailure: false, Alarms: [{ Name: { Ref: 'ReleaseAlarm' } }] },
  },
});

module.exports = Traffic;
