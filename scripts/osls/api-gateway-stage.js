'use strict';

// What osls cannot say about API Gateway, added to the template that it packages:
// - the stage as a resource of its own. osls sets logs, tracing and limits with calls of its own after
//   CloudFormation has finished, so that one that fails leaves a stack half-deployed.
// - the responses that API Gateway returns by itself (`custom.gatewayResponses`), as problem+json (RFC 9457).
// - that the deployment waits for those responses: it is a snapshot, and would leave them out.
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
    // As every response has it: API Gateway compresses those of the functions, and may compress its own.
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
      // The template that API Gateway takes whatever the caller accepts.
      ResponseTemplates: { 'application/json': JSON.stringify(body) },
    },
  };
}

module.exports = ApiGatewayStage;
