'use strict';

// Adds what osls does not support for API Gateway to the template that it packages:
// - The stage as a separate resource. osls would set logs, tracing and limits with API calls after CloudFormation has
//   finished, and a failed call would leave a stack half-deployed.
// - API Gateway's own responses (`custom.gatewayResponses`), as problem+json (RFC 9457).
// - A dependency of the deployment on those responses: a deployment is a snapshot, and would otherwise lack them.
class ApiGatewayStage {
  constructor(serverless) {
    const finish = () => {
      const { service } = serverless;
      const { Resources } = service.provider.compiledCloudFormationTemplate;
      const [id, deployment] = Object.entries(Resources).find(([, { Type }]) => Type === 'AWS::ApiGateway::Deployment');

      delete deployment.Properties.StageName;
      Resources.ApiGatewayStage.Properties.DeploymentId = { Ref: id };

      for (const [type, problem] of Object.entries(service.custom.gatewayResponses)) {
        const name = `GatewayResponse${type.replaceAll('_', '')}`;
        Resources[name] = gatewayResponse(type, problem);
        deployment.DependsOn.push(name);
      }
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

function gatewayResponse(type, { status, problem, title, headers: own = {} }) {
  const headers = {
    'Cache-Control': 'no-store',
    'Content-Type': 'application/problem+json',
    // As in every response: API Gateway compresses the functions' responses, and may compress its own.
    Vary: 'Accept-Encoding',
    'X-Content-Type-Options': 'nosniff',
    ...own,
  };
  const body = {
    type: `urn:problem-type:product-catalog:${problem}`,
    title,
    status,
    requestId: '$context.requestId',
  };
  return {
    Type: 'AWS::ApiGateway::GatewayResponse',
    Properties: {
      RestApiId: { Ref: 'ApiGatewayRestApi' },
      ResponseType: type,
      StatusCode: String(status),
      ResponseParameters: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [`gatewayresponse.header.${name}`, `'${value}'`]),
      ),
      // API Gateway uses this template for any `Accept` header.
      ResponseTemplates: { 'application/json': JSON.stringify(body) },
    },
  };
}

module.exports = ApiGatewayStage;
