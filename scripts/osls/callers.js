'use strict';

const ACCOUNT = /^\d{12}$/;
const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=.@/-]+$/;

// Adds the resource policy that lets other accounts (`custom.callers`) call the routes that require a signature.
//
// A caller in another account needs both this policy and one of its own; a caller in this account needs either. With a
// resource policy, a route without a signature is closed to everyone unless the policy opens it:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
class Callers {
  constructor(serverless) {
    const fail = (message) => {
      throw new serverless.classes.Error(message, 'INVALID_CALLERS');
    };
    const finish = () => {
      const { custom, functions, provider } = serverless.service;
      // A list in serverless.yml, but comma-separated text in `--param`.
      const callers = String(custom.callers).split(',').filter(Boolean);
      for (const caller of callers)
        if (!ACCOUNT.test(caller) && !ROLE.test(caller))
          fail(`callers must be account ids of 12 digits, in quotes, or ARNs of IAM roles, but one is '${caller}'`);
      if (callers.length === 0) return;

      const routes = Object.values(functions).flatMap(({ events }) => events.map(({ http }) => http));
      const signed = routes.filter(({ authorizer }) => authorizer?.type === 'AWS_IAM');
      const open = routes.filter((route) => !signed.includes(route));
      if (signed.length === 0)
        fail(
          'callers has no effect, because no route requires a signature: set createAuthorization or findAuthorization to AWS_IAM',
        );

      const principals = callers.map((caller) =>
        ACCOUNT.test(caller) ? { 'Fn::Sub': `arn:\${AWS::Partition}:iam::${caller}:root` } : caller,
      );
      const statements = [
        allow('CallersOfOtherAccountsSign', { AWS: principals }, signed, provider.stage),
        allow('EveryoneCallsWhatNeedsNoSignature', '*', open, provider.stage),
      ];
      const { Properties } = provider.compiledCloudFormationTemplate.Resources.ApiGatewayRestApi;
      Properties.Policy = {
        Version: '2012-10-17',
        Statement: statements.filter(({ Resource }) => Resource.length > 0),
      };
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

const allow = (Sid, Principal, routes, stage) => ({
  Sid,
  Effect: 'Allow',
  Principal,
  Action: 'execute-api:Invoke',
  // API Gateway prepends the rest of the ARN. A path parameter matches any text.
  Resource: routes.map(
    ({ method, path }) => `execute-api:/${stage}/${method.toUpperCase()}/${path.replaceAll(/\{[^}]*\}/g, '*')}`,
  ),
});

module.exports = Callers;
