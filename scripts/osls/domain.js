'use strict';

// The same rule as DomainName in target-roles/execution-role.yml: lower case, as API Gateway requires, and no wildcard.
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const CERTIFICATE = /^arn:aws[a-z-]*:acm:(?<region>[a-z0-9-]+):\d{12}:certificate\/[\w-]+$/;

// Gives the API its own address (`custom.domain`) instead of API Gateway's default one.
class Domain {
  constructor(serverless) {
    const fail = (message) => {
      throw new serverless.classes.Error(message, 'INVALID_DOMAIN');
    };
    const finish = () => {
      const { custom, provider } = serverless.service;
      const { domain, certificateArn } = custom;
      if (!domain && !certificateArn) return;
      if (!domain || !certificateArn)
        fail(`domain and certificateArn must be set together, but only ${domain ? 'domain' : 'certificateArn'} is`);
      if (!DOMAIN.test(domain)) fail(`domain must be a host name in lower case, but is '${domain}'`);
      if (CERTIFICATE.exec(certificateArn)?.groups.region !== provider.region)
        fail(`certificateArn must be an ACM certificate in ${provider.region}, but is '${certificateArn}'`);

      const { Resources, Outputs } = provider.compiledCloudFormationTemplate;
      Resources.ApiGatewayRestApi.Properties.DisableExecuteApiEndpoint = true;
      Resources.ApiGatewayDomain = {
        Type: 'AWS::ApiGateway::DomainName',
        Properties: {
          DomainName: domain,
          RegionalCertificateArn: certificateArn,
          EndpointConfiguration: { Types: ['REGIONAL'] },
        },
      };
      Resources.ApiGatewayDomainMapping = {
        Type: 'AWS::ApiGateway::BasePathMapping',
        Properties: {
          DomainName: { Ref: 'ApiGatewayDomain' },
          RestApiId: { Ref: 'ApiGatewayRestApi' },
          Stage: { Ref: 'ApiGatewayStage' },
        },
      };
      Outputs.ServiceEndpoint.Value = `https://${domain}`;
      Outputs.RegionalDomainName = {
        Description: `What the DNS record of ${domain} points to`,
        Value: { 'Fn::GetAtt': ['ApiGatewayDomain', 'RegionalDomainName'] },
      };
      Outputs.RegionalHostedZoneId = {
        Description: 'The hosted zone of RegionalDomainName, for an alias record in Route 53',
        Value: { 'Fn::GetAtt': ['ApiGatewayDomain', 'RegionalHostedZoneId'] },
      };
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

module.exports = Domain;
