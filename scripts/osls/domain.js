'use strict';

// The same rule as DomainName of target-roles/execution-role.yml: lower case, as API Gateway requires, and no wildcard.
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const CERTIFICATE = /^arn:aws[a-z-]*:acm:(?<region>[a-z0-9-]+):\d{12}:certificate\/[\w-]+$/;

// The API's own address (`custom.domain`), instead of the one that API Gateway makes of the API's id.
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
        fail(`domain and certificateArn must be set together, and only ${domain ? 'domain' : 'certificateArn'} is`);
      if (!DOMAIN.test(domain)) fail(`domain must be a host name in lower case, and is '${domain}'`);
      if (CERTIFICATE.exec(certificateArn)?.groups.region !== provider.region)
        fail(`certificateArn must be a certificate of ACM in ${provider.region}, and is '${certificateArn}'`);

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
        Description: 'The hosted zone of RegionalDomainName, which an alias record in Route 53 names',
        Value: { 'Fn::GetAtt': ['ApiGatewayDomain', 'RegionalHostedZoneId'] },
      };
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

module.exports = Domain;
