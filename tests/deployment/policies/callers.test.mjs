// Callers in other accounts: whom the resource policy for `callers` lets in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Callers from '../../../scripts/osls/callers.js';
import { forStage, rejection, Workspace } from '../workspace.mjs';
import { administrator, iam, may, principal, REGION, TARGET, THIRD } from './evaluator.mjs';

const PARTNER = '444444444444';
const shop = iam('shop', THIRD);
const callers = `${PARTNER},${shop}`;

test('callers in other accounts sign their requests, and nothing changes for anyone else', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  /** Whether someone can call a route, with the policy for these parameters. */
  const calling = async (parameters) => {
    const { Resources } = await packaged(parameters);
    // As API Gateway and CloudFormation expand it.
    const policy = JSON.parse(
      JSON.stringify(Resources.ApiGatewayRestApi.Properties.Policy)
        .replaceAll('"execute-api:/', `"arn:aws:execute-api:${REGION}:${TARGET}:a1b2c3/`)
        .replaceAll(/\{"Fn::Sub":("[^"]*")\}/g, '$1')
        .replaceAll('${AWS::Partition}', 'aws'),
    );
    return (who, route) =>
      may(who, 'execute-api:Invoke', `arn:aws:execute-api:${REGION}:${TARGET}:a1b2c3/${route}`, {
        owner: TARGET,
        policy,
      });
  };
  const [create, find] = ['PROD/POST/product/create', 'PROD/GET/product/find/1001'];
  const [partner, aShop, stranger, ours] = [
    administrator(iam('anyone', PARTNER)),
    administrator(shop),
    administrator(iam('stranger', THIRD)),
    administrator(iam('ours')),
  ];
  const withoutPolicy = ({ arn }) => principal(arn, []);
  const check = async (may, { allowed, denied }) => {
    for (const [who, route] of allowed) assert.ok(await may(who, route), `${who.arn} must be allowed ${route}`);
    for (const [who, route] of denied) assert.ok(!(await may(who, route)), `${who.arn} must be denied ${route}`);
  };

  await t.test('create is signed and find is open', async () => {
    await check(await calling({ callers }), {
      allowed: [
        [partner, create],
        [aShop, create],
        [ours, create],
        [stranger, find],
      ],
      denied: [
        [stranger, create],
        ...[partner, aShop, ours].map((who) => [withoutPolicy(who), create]),
        ...[
          'STAGE/POST/product/create',
          'PROD/DELETE/product/create',
          'PROD/POST/product/create/1001',
          'PROD/POST/product/find/1001',
        ].map((route) => [aShop, route]),
        ...['STAGE/GET/product/find/1001', 'PROD/GET/product/create', 'PROD/GET/product'].map((route) => [
          stranger,
          route,
        ]),
      ],
    });
  });

  await t.test('both are signed', async () => {
    await check(await calling({ callers, findAuthorization: 'AWS_IAM' }), {
      allowed: [
        [aShop, create],
        [aShop, find],
      ],
      denied: [
        [stranger, create],
        [stranger, find],
      ],
    });
  });

  await t.test('preflights need no signature if pages of another origin can call', async () => {
    const [asks, asksToFind] = ['PROD/OPTIONS/product/create', 'PROD/OPTIONS/product/find/1001'];
    const signed = { callers, findAuthorization: 'AWS_IAM' };
    await check(await calling(signed), { allowed: [], denied: [[stranger, asks]] });
    await check(await calling({ ...signed, allowOrigin: 'https://shop.example.com' }), {
      allowed: [
        [stranger, asks],
        [stranger, asksToFind],
        [aShop, create],
      ],
      denied: [
        [stranger, create],
        [stranger, find],
        [stranger, 'STAGE/OPTIONS/product/create'],
      ],
    });
  });

  await t.test('find requires a key, which API Gateway checks in addition to the policy', async () => {
    await check(await calling({ callers: shop, findAuthorization: 'API_KEY' }), {
      allowed: [
        [stranger, find],
        [aShop, create],
      ],
      denied: [[partner, create]],
    });
  });
});

test('callers are a list in serverless.yml', async (t) => {
  const workspace = await Workspace.create(t);
  const stack = await workspace.read('serverless.yml');
  await workspace.write('serverless.yml', stack.replace('callers: []', `callers: ["${PARTNER}", "${shop}"]`));
  assert.equal((await workspace.package(forStage('PROD'))).code, 0);
  const { Resources } = await workspace.template('PROD');
  assert.deepEqual(Resources.ApiGatewayRestApi.Properties.Policy.Statement[0].Principal.AWS, [
    { 'Fn::Sub': `arn:\${AWS::Partition}:iam::${PARTNER}:root` },
    shop,
  ]);
});

test('invalid callers, and callers without effect, are rejected', async (t) => {
  const packaged = await Workspace.packaging(t, 'PROD');
  const { rejected } = await packaged({ callers: shop, createAuthorization: 'NONE' });
  assert.match(rejected, /callers has no effect, because no route requires a signature/);
  for (const caller of [
    '12345678901',
    12345678901, // How YAML reads 012345678901 without quotes.
    '*',
    'shop',
    `arn:aws:iam::${THIRD}:root`,
    `arn:aws:iam::${THIRD}:role/*`,
    `arn:aws:iam::${THIRD}:user/shop`,
    `arn:aws:sts::${THIRD}:assumed-role/shop/session`,
  ])
    assert.equal(
      rejection(Callers, { custom: { callers: [shop, caller] } }),
      `callers must be account ids of 12 digits, in quotes, or ARNs of IAM roles, but one is '${caller}'`,
    );
});
