'use strict';

// CloudFormation expects a dashboard's body as a JSON string. Converts it from the YAML of observability.yml, which has
// comments.
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
