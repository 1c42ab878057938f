'use strict';

// The policies for Regional APIs, except the two legacy ones, one of which accepts TLS 1.0:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html
const POLICY = /^SecurityPolicy_TLS13_1_[23](_[A-Z0-9]+)+$/;

// Sets the TLS policy (`custom.tlsPolicy`) of the API and its custom domain, and rejects requests to another host. Both
// need it, because API Gateway negotiates a custom domain's connections with the API's policy, which by default accepts
// TLS 1.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html
class Tls {
  constructor(serverless) {
    const finish = () => {
      const { custom, provider } = serverless.service;
      const { tlsPolicy } = custom;
      if (!POLICY.test(tlsPolicy))
        throw new serverless.classes.Error(
          `tlsPolicy must be a policy for Regional APIs, such as SecurityPolicy_TLS13_1_3_2025_09, but is '${tlsPolicy}'`,
          'INVALID_TLS_POLICY',
        );
      for (const { Type, Properties } of Object.values(provider.compiledCloudFormationTemplate.Resources))
        if (['AWS::ApiGateway::RestApi', 'AWS::ApiGateway::DomainName'].includes(Type))
          Object.assign(Properties, { SecurityPolicy: tlsPolicy, EndpointAccessMode: 'STRICT' });
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

module.exports = Tls;
