'use strict';

const { createHash } = require('node:crypto');

// CodeDeploy's configurations for Lambda (CodeDeployDefault.*) that take at most 15 minutes. The credentials of a deployment
// last an hour, and it must also see a shift that is stopped go all the way back.
const PACES = [
  'LambdaAllAtOnce',
  'LambdaCanary10Percent5Minutes',
  'LambdaCanary10Percent10Minutes',
  'LambdaCanary10Percent15Minutes',
  'LambdaLinear10PercentEvery1Minute',
];

// Shifts the traffic of every function with an http event from version to version, at the pace of `custom.traffic`: the API
// calls the alias `live`, CodeDeploy lets the function `check` try the new versions first, and then moves the alias.
//
// It makes what serverless.yml cannot, because the name of a version exists only when osls packages. The roles, the
// application and the alarm are in serverless.yml.
class Traffic {
  constructor(serverless) {
    const { service } = serverless;
    const shifted = () =>
      Object.entries(service.functions)
        .filter(([, { events }]) => events.some(({ http }) => http))
        .map(([name, definition]) => ({ name, definition, id: capitalized(name) }));

    const aim = () => {
      const { traffic } = service.custom;
      if (!PACES.includes(traffic))
        throw new serverless.classes.Error(
          `traffic must be ${PACES.slice(0, -1).join(', ')} or ${PACES.at(-1)}, which take at most 15 minutes, because the credentials of a deployment last one hour; and is '${traffic}'`,
          'INVALID_TRAFFIC',
        );
      // What osls does by itself for functions with provisioned concurrency: events call the alias.
      for (const { definition, id } of shifted()) definition.targetAlias = { name: 'live', logicalId: `${id}Live` };
    };

    const finish = () => {
      const template = service.provider.compiledCloudFormationTemplate;
      const { Resources } = template;
      for (const { definition, id } of shifted()) renameVersion(template, definition, id);
      // Not what all functions have: the check needs no table.
      Resources.CheckLambdaFunction.Properties.Environment = {
        Variables: Object.fromEntries(
          shifted().map(({ name, definition }) => [variable(name), { Ref: definition.versionLogicalId }]),
        ),
      };
      for (const { definition, id } of shifted()) {
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

// As in osls's own names of resources.
const capitalized = (name) =>
  (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll('-', 'Dash').replaceAll('_', 'Underscore');
const variable = (name) => name.toUpperCase().replaceAll('-', '_');

// CloudFormation publishes a version when its name is new. osls makes the name of the function as it is before it sets the
// log level and before plugins add to it, so that such a change would never reach a caller. This makes it of all that
// Lambda keeps in a version, and of nothing else: Lambda refuses to publish the same version twice.
function renameVersion({ Resources, Outputs }, definition, id) {
  const { versionLogicalId: before } = definition;
  const version = Resources[before];
  const { Code, ReservedConcurrentExecutions, Tags, ...kept } = Resources[`${id}LambdaFunction`].Properties;
  const hash = createHash('sha256')
    .update(JSON.stringify([version.Properties.CodeSha256, kept]))
    .digest('hex');
  const after = `${id}LambdaVersion${hash}`;

  delete Resources[before];
  // A version that callers have used stays, so that the alias can return to it. One whose deployment fails goes, so that
  // it can be deployed again.
  Resources[after] = { ...version, DeletionPolicy: 'RetainExceptOnCreate' };
  for (const output of Object.values(Outputs)) if (output.Value?.Ref === before) output.Value.Ref = after;
  definition.versionLogicalId = after;
}

const alias = (id, { versionLogicalId }) => ({
  Type: 'AWS::Lambda::Alias',
  // Otherwise the check of the previous release would try the previous versions, and the previous pace would hold.
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
