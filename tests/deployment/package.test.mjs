// The template that osls packages from serverless.yml for each stage, without credentials.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import Domain from '../../scripts/osls/domain.js';
import Throughput from '../../scripts/osls/throughput.js';
import Tls from '../../scripts/osls/tls.js';
import Traffic from '../../scripts/osls/traffic.js';
import { resources } from './template.mjs';
import { account, forStage, rejection, Workspace } from './workspace.mjs';

const capitalized = (name) => name[0].toUpperCase() + name.slice(1);

for (const stage of ['DEV', 'STAGE', 'PROD']) {
  test(stage, async (t) => {
    const workspace = await Workspace.packaged(t, stage);
    const template = await workspace.template(stage);
    const { Resources: resources, Outputs: outputs } = template;
    const ofType = (type) => Object.entries(resources).filter(([, { Type }]) => Type === type);
    const { service } = JSON.parse(await workspace.read(`dist/package/${stage}/serverless-state.json`));
    const deployed = Object.keys(service.functions);
    const folders = await readdir(workspace.path('functions'));
    const called = deployed.filter((name) => service.functions[name].events.some(({ http }) => http));

    await t.test('each function has its own code, role and log', () => {
      const functions = ofType('AWS::Lambda::Function').map(([, { Properties }]) => [
        Properties.FunctionName,
        Properties.Code.S3Key.split('/').at(-1),
        Properties.Role['Fn::GetAtt'][0],
        Properties.Architectures[0],
        Properties.Runtime,
      ]);
      const zips = functions.map(([, zip]) => zip);
      assert.deepEqual(
        functions,
        deployed.map((name, i) => [
          `product-catalog-service-${stage}-${name}`,
          zips[i],
          `${capitalized(name)}Role`,
          'arm64',
          'provided.al2023',
        ]),
      );
      assert.deepEqual(zips.toSorted(), folders.map((folder) => `${folder}.zip`).toSorted());
      for (const [i, name] of deployed.entries()) assert.ok(zips[i].startsWith(`${name}-`), zips[i]);
    });

    await t.test('a role allows only what its function does, within the boundary', () => {
      // For the roles of the check and of CodeDeploy, see policies/release.test.mjs.
      for (const name of called.map((each) => `${capitalized(each)}Role`)) {
        const { Properties } = resources[name];
        const [policy] = Properties.Policies;
        const [table, log, traces] = policy.PolicyDocument.Statement;
        assert.equal(Properties.Policies.length, 1);
        assert.equal(policy.PolicyDocument.Statement.length, 3);
        assert.equal(table.Action, name === 'CreateRole' ? 'dynamodb:PutItem' : 'dynamodb:GetItem');
        assert.deepEqual(table.Resource, { 'Fn::GetAtt': ['ProductCatalogDynamoDBTable', 'Arn'] });
        assert.deepEqual(log.Resource, { 'Fn::GetAtt': [name.replace('Role', 'LogGroup'), 'Arn'] });
        assert.deepEqual(traces.Action, ['xray:PutTraceSegments', 'xray:PutTelemetryRecords']);
        assert.equal(
          Properties.PermissionsBoundary['Fn::Sub'],
          `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:policy/product-catalog-service-${stage}-boundary`,
        );
        assert.ok(Properties.RoleName.startsWith(`product-catalog-service-${stage}-`));
      }
    });

    await t.test('each stage sets who can create; outside DEV, not everyone', () => {
      const methods = ofType('AWS::ApiGateway::Method').map(([, { Properties }]) => [
        Properties.HttpMethod,
        Properties.AuthorizationType,
        Properties.ApiKeyRequired,
      ]);
      assert.equal(methods.length, called.length);
      for (const [method, ...authorization] of methods)
        assert.deepEqual(authorization, [stage === 'DEV' || method === 'GET' ? 'NONE' : 'AWS_IAM', false], method);
    });

    await t.test('nothing is allowed by a wildcard action', () => {
      const statements = (value) =>
        value?.Effect
          ? [value]
          : Object.values(Object(value)).flatMap((inner) => (Object(inner) === inner ? statements(inner) : []));
      const all = statements(resources).map(({ Effect, Action }) => ({ Effect, Action: [Action].flat() }));
      // Trust, table, log and traces of each role of the API; trust and three more statements of the check's and CodeDeploy's
      // roles; who can publish alarms, and how; the deployment bucket's denial without TLS.
      assert.equal(all.length, 4 * called.length + 11);
      assert.deepEqual(
        all.filter(({ Action }) => Action.some((action) => action.includes('*'))),
        [{ Effect: 'Deny', Action: ['s3:*'] }],
      );
    });

    await t.test(
      'the API calls an alias of each function, which CodeDeploy moves to a version that the check has tried',
      () => {
        const pace = stage === 'PROD' ? 'LambdaCanary10Percent15Minutes' : 'LambdaAllAtOnce';
        const tried = resources.CheckLambdaFunction.Properties.Environment.Variables;
        assert.ok(called.length > 1);
        assert.deepEqual(
          Object.keys(tried),
          called.map((name) => name.toUpperCase()),
        );
        assert.equal(ofType('AWS::Lambda::Version').length, called.length);
        for (const name of called.map(capitalized)) {
          const live = resources[`${name}Live`];
          const version = tried[name.toUpperCase()].Ref;
          assert.equal(resources[version].Type, 'AWS::Lambda::Version');
          assert.deepEqual(resources[version].Properties.FunctionName, { Ref: `${name}LambdaFunction` });
          // A version of a failed deployment is deleted, so that it can be deployed again. All others are kept.
          assert.equal(resources[version].DeletionPolicy, 'RetainExceptOnCreate');

          assert.deepEqual(live.Properties, {
            Name: 'live',
            FunctionName: { Ref: `${name}LambdaFunction` },
            FunctionVersion: { 'Fn::GetAtt': [version, 'Version'] },
          });
          assert.deepEqual(live.UpdatePolicy.CodeDeployLambdaAliasUpdate, {
            ApplicationName: { Ref: 'Traffic' },
            DeploymentGroupName: { Ref: `${name}Traffic` },
            BeforeAllowTrafficHook: { Ref: 'CheckLambdaFunction' },
          });
          // Otherwise, the shift would start with the previous release's check and pace.
          assert.deepEqual(live.DependsOn, ['CheckLambdaFunction', `${name}Traffic`]);

          const group = resources[`${name}Traffic`].Properties;
          assert.equal(group.DeploymentGroupName, `product-catalog-service-${stage}-${name.toLowerCase()}`);
          assert.equal(group.DeploymentConfigName, `CodeDeployDefault.${pace}`);
          assert.deepEqual(group.ServiceRoleArn, { 'Fn::GetAtt': ['TrafficRole', 'Arn'] });
          assert.deepEqual(group.AlarmConfiguration, {
            Enabled: true,
            IgnorePollAlarmFailure: false,
            Alarms: [{ Name: { Ref: 'ReleaseAlarm' } }],
          });
          assert.ok(group.AutoRollbackConfiguration.Events.includes('DEPLOYMENT_STOP_ON_ALARM'));

          const alias = [{ 'Fn::GetAtt': [`${name}LambdaFunction`, 'Arn'] }, ':', 'live', '/invocations'];
          const methods = ofType('AWS::ApiGateway::Method').filter(([, { Properties }]) =>
            isDeepStrictEqual(Properties.Integration.Uri['Fn::Join'][1].slice(-4), alias),
          );
          assert.equal(methods.length, 1, `one route calls the alias of ${name}`);
          assert.ok(methods[0][1].DependsOn.includes(`${name}Live`));
          const permission = resources[`${name}LambdaPermissionApiGateway`];
          assert.deepEqual(permission.Properties.FunctionName, {
            'Fn::Join': [':', [{ 'Fn::GetAtt': [`${name}LambdaFunction`, 'Arn'] }, 'live']],
          });
          assert.deepEqual(permission.DependsOn, `${name}Live`);
        }
        // The API's stage depends on the aliases, these on the groups, and these on the alarm, which must depend on nothing.
        assert.doesNotMatch(JSON.stringify(resources.ReleaseAlarm), /"(Ref|Fn::\w+|DependsOn)":/);
      },
    );

    await t.test('the check has no versions and no table', () => {
      const { Environment, Timeout, TracingConfig } = resources.CheckLambdaFunction.Properties;
      assert.deepEqual(
        Object.keys(Environment.Variables),
        called.map((name) => name.toUpperCase()),
      );
      assert.equal(Timeout, 60);
      assert.deepEqual(TracingConfig, { Mode: 'PassThrough' });
    });

    await t.test('the table is kept outside DEV', () => {
      const { DeletionPolicy, UpdateReplacePolicy, Properties } = resources.ProductCatalogDynamoDBTable;
      const kept = stage !== 'DEV';
      assert.equal(DeletionPolicy, kept ? 'Retain' : 'Delete');
      assert.equal(UpdateReplacePolicy, kept ? 'Retain' : 'Delete');
      assert.equal(Properties.DeletionProtectionEnabled, kept);
      assert.equal(Properties.TableName, 'PRODUCT_CATALOG');
      assert.equal(Properties.BillingMode, 'PAY_PER_REQUEST');
      assert.equal(Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, true);
      assert.equal(Properties.SSESpecification.SSEEnabled, true);
    });

    await t.test('the throughput of the table is limited', () => {
      const { OnDemandThroughput } = resources.ProductCatalogDynamoDBTable.Properties;
      const [reads, writes] = stage === 'DEV' ? [400, 400] : [10000, 4000];
      assert.deepEqual(OnDemandThroughput, { MaxReadRequestUnits: reads, MaxWriteRequestUnits: writes });
    });

    await t.test('Contributor Insights records only the ids of throttled products', () => {
      const { ContributorInsightsSpecification } = resources.ProductCatalogDynamoDBTable.Properties;
      assert.deepEqual(ContributorInsightsSpecification, { Enabled: true, Mode: 'THROTTLED_KEYS' });
    });

    await t.test('the routes are those of openapi.yaml', async () => {
      const { paths } = parse(await workspace.read('openapi.yaml'));
      const documented = Object.entries(paths).flatMap(([route, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${route}`),
      );
      const pathOf = (ref) => {
        const parent = resources[ref]?.Properties.ParentId.Ref;
        return `${parent ? pathOf(parent) : ''}/${resources[ref].Properties.PathPart}`;
      };
      const deployed = ofType('AWS::ApiGateway::Method').map(
        ([, { Properties }]) => `${Properties.HttpMethod} ${pathOf(Properties.ResourceId.Ref)}`,
      );
      assert.deepEqual(deployed.sort(), documented.sort());
    });

    await t.test('the stage has limits and a log, and its deployment contains every gateway response', () => {
      const [[id, deployment]] = ofType('AWS::ApiGateway::Deployment');
      const { Properties } = resources.ApiGatewayStage;
      assert.equal(deployment.Properties.StageName, undefined);
      assert.deepEqual(Properties.DeploymentId, { Ref: id });
      assert.equal(Properties.StageName, stage);
      // Everyone can create in DEV.
      const { ThrottlingRateLimit, ThrottlingBurstLimit } = Properties.MethodSettings[0];
      assert.deepEqual([ThrottlingRateLimit, ThrottlingBurstLimit], stage === 'DEV' ? [5, 10] : [100, 200]);
      assert.equal(Properties.MethodSettings[0].DataTraceEnabled, false);
      const line = JSON.parse(Properties.AccessLogSetting.Format);
      assert.equal(line.requestId, '$context.requestId');
      assert.equal(line.userArn, '$context.identity.userArn');
      assert.equal(line.apiKeyId, '$context.identity.apiKeyId');
      // Neither the key itself nor the path, which contains the id.
      assert.doesNotMatch(Properties.AccessLogSetting.Format, /identity\.apiKey\b|context\.path\b/);

      const responses = ofType('AWS::ApiGateway::GatewayResponse');
      assert.equal(responses.length, 10);
      for (const [name, { Properties: response }] of responses) {
        assert.ok(deployment.DependsOn.includes(name));
        assert.equal(response.ResponseParameters['gatewayresponse.header.Content-Type'], "'application/problem+json'");
        const problem = JSON.parse(response.ResponseTemplates['application/json']);
        assert.equal(String(problem.status), response.StatusCode);
        assert.equal(problem.requestId, '$context.requestId');
      }
      const responseOf = (type) =>
        responses.find(([, response]) => response.Properties.ResponseType === type)[1].Properties;
      assert.equal(responseOf('MISSING_AUTHENTICATION_TOKEN').StatusCode, '404');
      for (const [type, header, value] of [
        ['THROTTLED', 'Retry-After', "'2'"],
        ['UNSUPPORTED_MEDIA_TYPE', 'Accept-Encoding', "'gzip, deflate'"],
      ]) {
        assert.equal(responseOf(type).ResponseParameters[`gatewayresponse.header.${header}`], value);
      }
    });

    await t.test('no other account can call', () => {
      // How osls expresses that there is no policy.
      assert.equal(resources.ApiGatewayRestApi.Properties.Policy, '');
    });

    await t.test('the address is an output', () => {
      assert.ok(JSON.stringify(outputs.ServiceEndpoint.Value).includes(`/${stage}`));
    });

    await t.test('it contains no region and no account', () => {
      assert.doesNotMatch(JSON.stringify(template), /\b\d{12}\b(?!\d)|us-east-1|eu-west-1/);
    });
  });
}

test('parameters change the table, the architecture and nothing else', async (t) => {
  const workspace = await Workspace.packaged(t, 'DEV');
  const template = () => workspace.read('dist/package/DEV/cloudformation-template-update-stack.json');
  const plain = await template();
  const env = { TABLE_NAME: 'PRODUCTS', ARCHITECTURE: 'x86_64' };
  const packaged = await workspace.run('scripts/package.sh', [], { ...forStage('DEV'), ...env });
  assert.equal(packaged.code, 0, packaged.stderr);
  const changed = await template();
  // osls derives the names of S3 objects and of the deployment from the time, and the name of a version from its
  // content.
  const timeless = (text) =>
    text
      .replaceAll(/DEV\/\d+-[^/]+\//g, 'DEV/')
      .replaceAll(/ApiGatewayDeployment\d+/g, 'ApiGatewayDeployment')
      .replaceAll(/LambdaVersion[0-9a-f]{64}/g, 'LambdaVersion');
  const same = timeless(changed).replaceAll('"PRODUCTS"', '"PRODUCT_CATALOG"').replaceAll('x86_64', 'arm64');
  assert.notEqual(same, timeless(changed));
  // osls writes the outputs of the functions in the order in which it has read their zips.
  assert.deepEqual(JSON.parse(same), JSON.parse(timeless(plain)));
});

test('a change to what Lambda stores in a version creates a new version, and no other change does', async (t) => {
  const packaged = await Workspace.packaging(t, 'DEV');
  const versions = async (parameters) => {
    const { Resources, Outputs } = await packaged(parameters);
    const { Variables } = Resources.CheckLambdaFunction.Properties.Environment;
    const [create, find] = [Variables.CREATE.Ref, Variables.FIND.Ref];
    for (const [name, version] of Object.entries({ Create: create, Find: find })) {
      assert.ok(version in Resources);
      assert.deepEqual(Outputs[`${name}LambdaFunctionQualifiedArn`].Value, { Ref: version });
    }
    return { create, find };
  };
  const before = await versions({});
  assert.match(before.create, /^CreateLambdaVersion[0-9a-f]{64}$/);
  const kept = { logRetentionDays: 30, requestsPerSecond: 7, traffic: 'LambdaLinear10PercentEvery1Minute' };
  assert.deepEqual(await versions(kept), before);
  for (const changed of [
    { memory: 256 },
    { architecture: 'x86_64' },
    // Otherwise, callers would keep the previous table, log level and headers.
    { tableName: 'PRODUCTS' },
    { logLevel: 'DEBUG' },
    { allowOrigin: 'https://shop.example.com' },
  ]) {
    const { create, find } = await versions(changed);
    assert.notEqual(create, before.create, JSON.stringify(changed));
    assert.notEqual(find, before.find, JSON.stringify(changed));
  }
});

test('a new zip creates a new version of its function only, and the package state contains its name', async (t) => {
  const workspace = await Workspace.packaged(t, 'DEV');
  const versions = async () => {
    const { service } = JSON.parse(await workspace.read('dist/package/DEV/serverless-state.json'));
    const { Resources } = service.provider.compiledCloudFormationTemplate;
    for (const name of ['create', 'find']) {
      const zip = await readFile(workspace.path(`dist/${name}-product.zip`));
      assert.equal(
        Resources[service.functions[name].versionLogicalId].Properties.CodeSha256,
        createHash('sha256').update(zip).digest('base64'),
      );
    }
    assert.equal(service.functions.check.versionLogicalId, undefined);
    return [service.functions.create.versionLogicalId, service.functions.find.versionLogicalId];
  };
  const [create, find] = await versions();
  await workspace.write('dist/find-product.zip', 'another');
  assert.equal((await workspace.run('scripts/package.sh', [], forStage('DEV'))).code, 0);
  const after = await versions();
  assert.equal(after[0], create);
  assert.notEqual(after[1], find);
});

test('traffic shifts to an added function, and the check gets it, without other changes', async (t) => {
  const workspace = await Workspace.create(t);
  const stack = await workspace.read('serverless.yml');
  const added = `functions:
  list-all:
    handler: bootstrap
    role: !GetAtt FindRole.Arn
    package: { artifact: dist/find-product.zip }
    events: [{ http: { method: get, path: /product/list } }]
  nightly:
    handler: bootstrap
    role: !GetAtt FindRole.Arn
    package: { artifact: dist/find-product.zip }
`;
  await workspace.write('serverless.yml', stack.replace('functions:\n', added));
  const packaged = await workspace.package(forStage('PROD'));
  assert.equal(packaged.code, 0, packaged.stderr);
  const { Resources } = await workspace.template('PROD');
  const { Variables } = Resources.CheckLambdaFunction.Properties.Environment;
  assert.deepEqual(Object.keys(Variables).slice(0, 3), ['LIST_ALL', 'CREATE', 'FIND']);
  const aliases = Object.values(Resources).filter(({ Type }) => Type === 'AWS::Lambda::Alias');
  assert.deepEqual(
    Object.values(Variables).map(({ Ref }) => Ref),
    aliases.map(({ Properties }) => Properties.FunctionVersion['Fn::GetAtt'][0]),
  );
  const { FunctionName, FunctionVersion } = Resources.ListDashallLive.Properties;
  assert.deepEqual(FunctionName, { Ref: 'ListDashallLambdaFunction' });
  assert.deepEqual(FunctionVersion, { 'Fn::GetAtt': [Variables.LIST_ALL.Ref, 'Version'] });
  assert.equal(Resources.ListDashallTraffic.Properties.DeploymentGroupName, 'product-catalog-service-PROD-list-all');
  // This one is not part of the API.
  assert.equal(Variables.NIGHTLY, undefined);
  assert.equal(Resources.NightlyLive, undefined);
});

test('a pace that CodeDeploy lacks, or that outlasts the credentials of a deployment, is rejected', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const { rejected } = await packaged({ traffic: 'LambdaCanary10Percent30Minutes' });
  const must = (value) =>
    `traffic must be LambdaAllAtOnce, LambdaCanary10Percent5Minutes, LambdaCanary10Percent10Minutes, LambdaCanary10Percent15Minutes or LambdaLinear10PercentEvery1Minute, but is '${value}': the credentials of a deployment last an hour, so a shift can take at most 15 minutes`;
  assert.ok(rejected?.replaceAll(/\s+/g, ' ').includes(must('LambdaCanary10Percent30Minutes')), rejected);
  const rejects = (traffic) => rejection(Traffic, { custom: { traffic }, functions: {} });
  for (const wrong of [
    'LambdaLinear10PercentEvery10Minutes',
    'LambdaCanary10Percent20Minutes',
    'CodeDeployDefault.LambdaAllAtOnce',
    'ECSAllAtOnce',
    'lambdaallatonce',
    '',
    null,
  ])
    assert.equal(rejects(wrong), must(wrong));
  assert.throws(() => rejects('LambdaCanary10Percent10Minutes'), /accepts/);
});

test('a throughput that is too low for the largest product is rejected', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const { Resources } = await packaged({ maxWriteUnits: 400, maxReadUnits: 100 });
  assert.deepEqual(Resources.ProductCatalogDynamoDBTable.Properties.OnDemandThroughput, {
    MaxReadRequestUnits: 100,
    MaxWriteRequestUnits: 400,
  });
  const { rejected } = await packaged({ maxWriteUnits: 399 });
  const must = (parameter, minimum, value) =>
    `${parameter} must be an integer of at least ${minimum}, the units for a product of 400 KB, but is '${value}'`;
  assert.ok(rejected?.includes(must('maxWriteUnits', 400, 399)), rejected);
  const rejects = (OnDemandThroughput) => {
    const Resources = { ProductCatalogDynamoDBTable: { Properties: { OnDemandThroughput } } };
    return rejection(Throughput, { provider: { compiledCloudFormationTemplate: { Resources } } });
  };
  for (const value of [399, 0, -1, 400.5, '4000 ', 'unlimited', true, null])
    assert.equal(rejects({ MaxWriteRequestUnits: value }), must('maxWriteUnits', 400, value));
  for (const value of [99, 100.5, '1e3', ''])
    assert.equal(rejects({ MaxWriteRequestUnits: 400, MaxReadRequestUnits: value }), must('maxReadUnits', 100, value));
});

test('an API has its own address, or the default one', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const domain = 'catalog.example.com';
  const certificateArn = `arn:aws:acm:eu-west-1:${account}:certificate/7f3a`;
  const [plain, { Resources, Outputs }] = [await packaged({}), await packaged({ domain, certificateArn })];

  const { SecurityPolicy, EndpointAccessMode } = plain.Resources.ApiGatewayRestApi.Properties;
  assert.deepEqual(Resources.ApiGatewayDomain, {
    Type: 'AWS::ApiGateway::DomainName',
    Properties: {
      DomainName: domain,
      RegionalCertificateArn: certificateArn,
      EndpointConfiguration: { Types: ['REGIONAL'] },
      SecurityPolicy,
      EndpointAccessMode,
    },
  });
  assert.deepEqual(Resources.ApiGatewayDomainMapping.Properties, {
    DomainName: { Ref: 'ApiGatewayDomain' },
    RestApiId: { Ref: 'ApiGatewayRestApi' },
    Stage: { Ref: 'ApiGatewayStage' },
  });
  assert.equal(Outputs.ServiceEndpoint.Value, `https://${domain}`);
  for (const name of ['RegionalDomainName', 'RegionalHostedZoneId']) {
    assert.deepEqual(Outputs[name].Value, { 'Fn::GetAtt': ['ApiGatewayDomain', name] });
    assert.ok(Outputs[name].Description);
  }

  // Nothing else differs.
  const { DisableExecuteApiEndpoint, ...others } = Resources.ApiGatewayRestApi.Properties;
  assert.equal(DisableExecuteApiEndpoint, true);
  assert.deepEqual(others, plain.Resources.ApiGatewayRestApi.Properties);
  const names = (of) =>
    Object.keys(of)
      .filter((name) => !name.startsWith('ApiGatewayDeployment'))
      .sort();
  assert.deepEqual(names(Resources), [...names(plain.Resources), 'ApiGatewayDomain', 'ApiGatewayDomainMapping'].sort());
  assert.deepEqual(names(Outputs), [...names(plain.Outputs), 'RegionalDomainName', 'RegionalHostedZoneId'].sort());

  const { rejected } = await packaged({ domain });
  assert.match(rejected, /domain and certificateArn must be set together, but only domain is/);
  const rejects = (custom) => rejection(Domain, { custom, provider: { region: 'eu-west-1' } });
  assert.match(rejects({ certificateArn }), /must be set together, but only certificateArn is$/);
  for (const wrong of [
    certificateArn.replace('eu-west-1', 'us-east-1'),
    certificateArn.replace(':acm:', ':iam:'),
    'own',
  ])
    assert.equal(
      rejects({ domain, certificateArn: wrong }),
      `certificateArn must be an ACM certificate in eu-west-1, but is '${wrong}'`,
    );
  // The execution role accepts and rejects the same names.
  const role = (DomainName) => () =>
    resources('target-roles/execution-role.yml', { account, region: 'eu-west-1', parameters: { DomainName } });
  assert.doesNotThrow(role(domain));
  for (const wrong of [
    `https://${domain}`,
    'Catalog.example.com',
    '*.example.com',
    'catalog',
    'a..example.com',
    '1.2.3.4',
  ]) {
    assert.equal(
      rejects({ domain: wrong, certificateArn }),
      `domain must be a host name in lower case, but is '${wrong}'`,
    );
    assert.throws(role(wrong), /does not match/);
  }
});

test('an API accepts TLS 1.2 and later, or what its stage configures', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const api = ({ Resources }) => Resources.ApiGatewayRestApi.Properties;
  const { SecurityPolicy, EndpointAccessMode } = api(await packaged({}));
  assert.equal(SecurityPolicy, 'SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09');
  assert.equal(EndpointAccessMode, 'STRICT');
  const { rejected } = await packaged({ tlsPolicy: 'TLS_1_0' });
  assert.match(rejected, /tlsPolicy must be a policy for Regional APIs, such as .*, but is 'TLS_1_0'/);

  const service = (tlsPolicy) => {
    const Resources = {
      ApiGatewayRestApi: { Type: 'AWS::ApiGateway::RestApi', Properties: {} },
      ApiGatewayDomain: { Type: 'AWS::ApiGateway::DomainName', Properties: {} },
    };
    return { custom: { tlsPolicy }, provider: { compiledCloudFormationTemplate: { Resources } } };
  };
  // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html
  for (const policy of ['3_2025_09', '3_FIPS_2025_09', '2_PFS_PQ_2025_09', '2_FIPS_PFS_PQ_2025_09', '2_2021_06']) {
    const taken = service(`SecurityPolicy_TLS13_1_${policy}`);
    assert.throws(() => rejection(Tls, taken), /accepts/);
    for (const { Properties } of Object.values(taken.provider.compiledCloudFormationTemplate.Resources))
      assert.deepEqual(Properties, {
        SecurityPolicy: `SecurityPolicy_TLS13_1_${policy}`,
        EndpointAccessMode: 'STRICT',
      });
  }
  for (const wrong of [
    'TLS_1_2',
    // For edge-optimized APIs.
    'SecurityPolicy_TLS13_2025_EDGE',
    'SecurityPolicy_TLS12_PFS_2025_EDGE',
    'SecurityPolicy_TLS13_1_0_2025_09',
    'SecurityPolicy_TLS13_1_3',
    'securitypolicy_tls13_1_3_2025_09',
    'SecurityPolicy_TLS13_1_3_2025_09 ',
    '',
    null,
    undefined,
  ])
    assert.match(rejection(Tls, service(wrong)), new RegExp(`^tlsPolicy must be .*, but is '${wrong}'$`));
});

test('API Gateway compresses and decodes bodies of any size', async (t) => {
  const { Resources } = await (await Workspace.packaging(t, 'DEV'))({});
  // Below this size, it would not decode requests either.
  assert.equal(Resources.ApiGatewayRestApi.Properties.MinimumCompressionSize, 1);
  for (const { Type, Properties } of Object.values(Resources))
    if (Type === 'AWS::ApiGateway::GatewayResponse')
      assert.equal(Properties.ResponseParameters['gatewayresponse.header.Vary'], "'Accept-Encoding'");
});

test('a stage that does not set who can create is rejected', async (t) => {
  const packaged = async (said) => {
    const workspace = await Workspace.create(t);
    const stack = await workspace.read('serverless.yml');
    await workspace.write(
      'serverless.yml',
      stack.replace('  PROD:\n    createAuthorization: AWS_IAM\n', `  PROD:\n${said}`),
    );
    return { workspace, ...(await workspace.package(forStage('PROD'))) };
  };
  const methods = async (workspace) => {
    const { Resources } = await workspace.template('PROD');
    return Object.values(Resources)
      .filter(({ Type }) => Type === 'AWS::ApiGateway::Method')
      .map(({ Properties }) => Properties);
  };
  const check = async ({ workspace }, reads, writes) => {
    for (const { HttpMethod, AuthorizationType, ApiKeyRequired } of await methods(workspace))
      assert.deepEqual([AuthorizationType, ApiKeyRequired], HttpMethod === 'GET' ? reads : writes, HttpMethod);
  };
  const silent = await packaged('');
  assert.notEqual(silent.code, 0);
  assert.match(
    silent.stdout + silent.stderr,
    /functions\.create\.events\.0\.http\.authorizer": Value not found at "param" source/,
  );
  const mistaken = await packaged('    createAuthorization: NOBODY\n');
  assert.notEqual(mistaken.code, 0);
  const open = await packaged('    createAuthorization: NONE\n');
  await check(open, ['NONE', false], ['NONE', false]);
  const keyed = await packaged('    createAuthorization: API_KEY\n    findAuthorization: AWS_IAM\n');
  await check(keyed, ['AWS_IAM', false], ['NONE', true]);
});

test('equal code produces equal zips, whatever its time and mode', async (t) => {
  const hashes = async (umask) => {
    const workspace = await Workspace.create(t);
    const before = process.umask(umask);
    const built = await workspace.build(forStage('DEV'));
    process.umask(before);
    assert.equal(built.code, 0, built.stderr);
    const zips = await Promise.all(
      ['create-product', 'find-product'].map((name) => workspace.read('dist', `${name}.zip`)),
    );
    return zips.map((zip) => createHash('sha256').update(zip).digest('hex'));
  };
  const [create, find] = await hashes(0o022);
  assert.notEqual(create, find);
  assert.deepEqual(await hashes(0o077), [create, find]);
});
