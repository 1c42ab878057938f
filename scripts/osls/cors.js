'use strict';

// Rejects wildcards and quotes, which URL accepts. URL checks the rest.
const PLAIN = /^https?:\/\/[a-z0-9.:[\]-]+$/;

// Lets the web pages of one origin (`custom.allowOrigin`) call the API: the functions add these headers to their responses,
// and API Gateway adds the same ones to its own responses: docs/decisions/0012-one-origin.md.
class Cors {
  constructor(serverless) {
    const finish = () => {
      const { custom, provider } = serverless.service;
      const { allowOrigin, cors } = custom;
      if (!allowOrigin) return;
      if (!PLAIN.test(allowOrigin) || !URL.canParse(allowOrigin) || new URL(allowOrigin).origin !== allowOrigin)
        throw new serverless.classes.Error(
          `allowOrigin must be one origin as browsers send it, without a path, such as https://shop.example.com or http://localhost:5173, but is '${allowOrigin}'`,
          'INVALID_ALLOW_ORIGIN',
        );

      const { Resources } = provider.compiledCloudFormationTemplate;
      const ofType = (type) => Object.entries(Resources).filter(([, { Type }]) => Type === type);
      const everywhere = {
        'Access-Control-Allow-Origin': allowOrigin,
        'Access-Control-Expose-Headers': cors.exposeHeaders,
        // Includes the Vary of all responses, because a response can have only one value per header.
        Vary: 'Accept-Encoding, Origin',
      };
      for (const [, { Properties }] of ofType('AWS::Lambda::Function'))
        Object.assign(Properties.Environment.Variables, {
          ALLOW_ORIGIN: allowOrigin,
          EXPOSE_HEADERS: cors.exposeHeaders,
        });
      for (const [, { Properties }] of ofType('AWS::ApiGateway::GatewayResponse'))
        Object.assign(Properties.ResponseParameters, literals('gatewayresponse.header', everywhere));

      const [[, deployment]] = ofType('AWS::ApiGateway::Deployment');
      for (const [name, { Properties }] of ofType('AWS::ApiGateway::Method')) {
        const preflight = `${name}Preflight`;
        Resources[preflight] = preflightMethod(Properties, {
          ...everywhere,
          'Access-Control-Allow-Methods': Properties.HttpMethod,
          'Access-Control-Allow-Headers': cors.allowHeaders,
          'Access-Control-Max-Age': cors.maxAge,
        });
        // A deployment is a snapshot, and would otherwise lack the method.
        deployment.DependsOn.push(preflight);
      }

      // The policy from scripts/osls/callers.js denies everything that it does not name.
      const { Policy } = Resources.ApiGatewayRestApi.Properties;
      if (Policy)
        Policy.Statement.push({
          Sid: 'BrowsersAskWithoutSignature',
          Effect: 'Allow',
          Principal: '*',
          Action: 'execute-api:Invoke',
          Resource: [`execute-api:/${provider.stage}/OPTIONS/*`],
        });
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

// API Gateway uses a quoted text literally.
const literals = (where, headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [`${where}.${name}`, `'${value}'`]));

// A browser sends a preflight without a signature or an API key, and API Gateway responds without calling a function.
// osls's own `cors` would set neither `Vary` nor the exposed headers.
function preflightMethod({ RestApiId, ResourceId }, headers) {
  const ResponseParameters = literals('method.response.header', headers);
  return {
    Type: 'AWS::ApiGateway::Method',
    Properties: {
      RestApiId,
      ResourceId,
      HttpMethod: 'OPTIONS',
      AuthorizationType: 'NONE',
      ApiKeyRequired: false,
      Integration: {
        Type: 'MOCK',
        // Otherwise, a body that is not JSON, which no browser sends, would cause a 500 and count in an alarm.
        PassthroughBehavior: 'NEVER',
        RequestTemplates: { 'application/json': '{"statusCode":200}' },
        IntegrationResponses: [{ StatusCode: '200', ResponseParameters }],
      },
      MethodResponses: [
        {
          StatusCode: '200',
          ResponseParameters: Object.fromEntries(Object.keys(ResponseParameters).map((name) => [name, true])),
        },
      ],
    },
  };
}

module.exports = Cors;
