'use strict';

// CloudFormation takes a dashboard's body as JSON in a string. observability.yml has it as YAML, with its reasons beside
// it, and this makes the string of it.
class Dashboard {
  constructor(serverless) {
    const finish = () => {
      const { Properties } = serverless.service.provider.compiledCloudFormationTemplate.Resources.Dashboard;
      Properties.DashboardBody = { 'Fn::Sub': JSON.stringify(Properties.DashboardBody) };
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

module.exports = Dashboard;
