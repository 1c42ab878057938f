// Which web pages can call the API: osls with `allowOrigin`, compared with `cargo run --allow-origin`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import Cors from '../../scripts/osls/cors.js';
import { startCatalog } from '../clients/local.mjs';
import { rejection, Workspace } from '../deployment/workspace.mjs';

const SHOP = 'https://shop.example.com';

/** The CORS headers among those that API Gateway adds or `cargo run` sent. */
const forBrowsers = (headers) =>
  Object.fromEntries(
    [...headers]
      .map(([name, value]) => [name.split('.').at(-1).toLowerCase(), String(value).replaceAll("'", '')])
      .filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );

test('API Gateway, the functions and `cargo run` send the same CORS headers for one origin', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const [plain, { Resources, Outputs }] = [await packaged({}), await packaged({ allowOrigin: SHOP })];
  const ofType = (type) => Object.values(Resources).filter(({ Type }) => Type === type);
  const { url } = await startCatalog(t, ['--allow-origin', SHOP]);
  const sent = async (method, path) => forBrowsers((await fetch(url + path, { method })).headers);

  const everywhere = await sent('GET', '/product/find/1001');
  assert.equal(everywhere['access-control-allow-origin'], SHOP);
  for (const { Properties } of ofType('AWS::Lambda::Alias')) {
    const { ALLOW_ORIGIN, EXPOSE_HEADERS } = Resources[Properties.FunctionName.Ref].Properties.Environment.Variables;
    assert.equal(ALLOW_ORIGIN, everywhere['access-control-allow-origin']);
    assert.equal(EXPOSE_HEADERS, everywhere['access-control-expose-headers']);
  }
  assert.deepEqual(await sent('GET', '/nothing'), everywhere);
  const responses = ofType('AWS::ApiGateway::GatewayResponse');
  assert.equal(responses.length, 10);
  for (const { Properties } of responses)
    assert.deepEqual(forBrowsers(Object.entries(Properties.ResponseParameters)), everywhere);

  const [{ DependsOn: deployed }] = ofType('AWS::ApiGateway::Deployment');
  for (const [name, method, path] of [
    ['ApiGatewayMethodProductCreatePost', 'POST', '/product/create'],
    ['ApiGatewayMethodProductFindIdVarGet', 'GET', '/product/find/1001'],
  ]) {
    const { Properties: preflight } = Resources[`${name}Preflight`];
    assert.ok(deployed.includes(`${name}Preflight`));
    assert.deepEqual(preflight.ResourceId, Resources[name].Properties.ResourceId);
    // A browser sends a preflight without a signature or a key, even if the route requires one.
    const { HttpMethod, AuthorizationType, ApiKeyRequired, Integration } = preflight;
    assert.deepEqual([HttpMethod, AuthorizationType, ApiKeyRequired], ['OPTIONS', 'NONE', false]);
    assert.equal(Integration.Type, 'MOCK');
    const [{ ResponseParameters: headers }] = Integration.IntegrationResponses;
    assert.deepEqual(Object.keys(preflight.MethodResponses[0].ResponseParameters), Object.keys(headers));
    const asked = await sent('OPTIONS', path);
    assert.deepEqual(forBrowsers(Object.entries(headers)), asked);
    const { 'access-control-allow-methods': methods, 'access-control-max-age': age, ...others } = asked;
    assert.deepEqual([methods, age], [method, '7200']);
    const { 'access-control-allow-headers': allowed, ...rest } = others;
    assert.ok(allowed.includes('X-Api-Key'));
    assert.deepEqual(rest, everywhere);
  }

  // Nothing else differs except the names of versions, and without the parameter, none of it exists.
  const names = (of) =>
    Object.keys(of)
      .filter((name) => !/^(ApiGatewayDeployment|[A-Z][a-z]+LambdaVersion)/.test(name))
      .sort();
  const preflights = Object.keys(plain.Resources)
    .filter((name) => plain.Resources[name].Type === 'AWS::ApiGateway::Method')
    .map((name) => `${name}Preflight`);
  assert.deepEqual(names(Resources), [...names(plain.Resources), ...preflights].sort());
  assert.deepEqual(names(Outputs), names(plain.Outputs));
  const [found] =
    /Access-Control|ALLOW_ORIGIN|EXPOSE_HEADERS|OPTIONS|Vary": *"'[^']*Origin/.exec(JSON.stringify(plain)) ?? [];
  assert.equal(found, undefined);

  const { rejected } = await packaged({ allowOrigin: '*' });
  assert.match(rejected, /allowOrigin must be one origin as browsers send it, .*, but is '\*'/);
});

test('osls and `cargo run` accept the same origins', async () => {
  const binary = `${process.env.CARGO_TARGET_DIR ?? 'target'}/debug/local`;
  // With `--version`, it exits after parsing the origin.
  const run = (origin) => promisify(execFile)(binary, [`--allow-origin=${origin}`, '--version']);
  const service = (allowOrigin) => ({
    custom: { allowOrigin, cors: {} },
    provider: {
      compiledCloudFormationTemplate: {
        Resources: {
          Deployment: { Type: 'AWS::ApiGateway::Deployment', DependsOn: [] },
          ApiGatewayRestApi: { Properties: { Policy: '' } },
        },
      },
    },
  });
  const accepted = [SHOP, `${SHOP}:8443`, 'http://localhost:5173', 'http://127.0.0.1', 'http://[::1]:5173'];
  for (const origin of accepted) {
    await run(origin);
    assert.throws(() => rejection(Cors, service(origin)), /accepts/);
  }
  for (const wrong of [
    '*',
    'null',
    'shop.example.com',
    'https://',
    `${SHOP}/`,
    `${SHOP}/shop`,
    `${SHOP}?`,
    `${SHOP}:`,
    `${SHOP}:443`,
    `${SHOP}:99999`,
    'http://localhost:80',
    'https://*.example.com',
    'https://Shop.example.com',
    'https://someone@shop.example.com',
    "https://shop'.example.com",
    `${SHOP},https://example.com`,
    'ftp://shop.example.com',
  ]) {
    const { message, stderr } = await run(wrong).then(
      () => assert.fail(`cargo run takes ${wrong}`),
      (error) => error,
    );
    const rule = rejection(Cors, service(wrong));
    assert.ok(rule.startsWith('allowOrigin must be one origin '), rule);
    assert.ok(rule.endsWith(`, but is '${wrong}'`), rule);
    // With the same message.
    const [, must] = /^allowOrigin (.*), but is /.exec(rule);
    assert.ok(stderr?.includes(`'--allow-origin <URL>': ${must}\n`), message);
  }
});
