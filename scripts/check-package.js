'use strict';

// Checks the package in dist/package/$STAGE, and the zips in dist/, before scripts/deploy.sh deploys them. Prints the
// service's name, the region, the execution role, whether the API requires a key, and the release's number; or, with exit
// code 1, why the package must not be deployed.
//
// Build, which runs the build scripts of every dependency, writes the package. So nothing in the package is executed.
// osls, which has the credentials of the target account, uploads whatever the package names: nothing may be in it but a
// package, not even a link to /proc/self/environ.
//
// osls uploads the zips, to the keys that the package names, before CloudFormation computes the changes. Wrong zips
// would overwrite those that a rollback needs.

const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { readdirSync, readFileSync } = require('node:fs');

const { STAGE, TARGET_ACCOUNT_ID, RELEASE } = process.env;

const release = () => execFileSync('bash', ['scripts/release.sh'], { encoding: 'utf8' }).trim();

const isCalled = ({ events = [] }) => events.some(({ http }) => http);

function* faults({ functions, layers, package: common, provider, service }) {
  // osls deploys a package of another stage without an error, and creates a wrong stack.
  if (provider.stage !== STAGE) yield `is for stage ${provider.stage}, not ${STAGE}`;
  const role = provider.iam.deploymentRole;
  if (!new RegExp(`^arn:[a-z-]+:iam::${TARGET_ACCOUNT_ID}:role/[\\w+=,.@-]+$`).test(role))
    yield `is for the account of ${role}, not ${TARGET_ACCOUNT_ID}`;
  if (!/^[a-z][a-z0-9-]*$/.test(service)) yield `is for the service ${service}, which is not a valid name`;
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(provider.region)) yield `is for ${provider.region}, which is not a valid region`;

  for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) yield `has ${entry.name}, which is neither a file nor a folder`;
  }
  for (const [name, { package: own }] of Object.entries(functions)) {
    if (!/^dist\/[\w-]+\.zip$/.test(own?.artifact))
      yield `has ${own?.artifact} as the code of ${name}, not a zip in dist/`;
  }
  if (common?.artifact || Object.keys(layers ?? {}).length > 0) yield 'names files that are not code of its functions';

  const { Resources: resources } = provider.compiledCloudFormationTemplate;
  if (RELEASE && release() !== RELEASE) yield `has the zips of release ${release()}, not ${RELEASE}`;
  for (const [name, definition] of Object.entries(functions)) yield* otherCode(name, definition, resources);

  if (STAGE !== 'DEV') yield* unprotected(resources);
}

/** A version has the hash of its zip. A function outside the API may have none: the release number covers its zip. */
function* otherCode(name, definition, resources) {
  if (definition.versionFunction === false && !isCalled(definition)) return;
  const { artifact } = definition.package;
  const ofType = (type) => Object.entries(resources).filter(([, { Type }]) => Type === type);
  const [id] = ofType('AWS::Lambda::Function').find(([, of]) => of.Properties.FunctionName === definition.name) ?? [];
  const versions = ofType('AWS::Lambda::Version').filter(([, of]) => id && of.Properties.FunctionName?.Ref === id);
  if (versions.length !== 1)
    yield `has ${versions.length} versions of ${name}: there must be one, with the hash of its zip`;
  const hash = createHash('sha256').update(readFileSync(artifact)).digest('base64');
  for (const [, { Properties }] of versions) {
    if (Properties.CodeSha256 !== hash)
      yield `has ${artifact} with the hash ${hash}, packaged as ${Properties.CodeSha256}`;
  }
}

/** IAM cannot express this: anyone who can update a table can also turn off its protection. */
function* unprotected(resources) {
  const tables = Object.values(resources).filter(({ Type }) => Type.startsWith('AWS::DynamoDB::'));
  if (tables.length !== 1) yield `has ${tables.length} tables: ${STAGE} has one`;
  for (const { Type, DeletionPolicy, UpdateReplacePolicy, Properties } of tables) {
    for (const [setting, value, required] of [
      ['Type', Type, 'AWS::DynamoDB::Table'],
      ['DeletionPolicy', DeletionPolicy, 'Retain'],
      ['UpdateReplacePolicy', UpdateReplacePolicy, 'Retain'],
      ['DeletionProtectionEnabled', Properties?.DeletionProtectionEnabled, true],
      ['PointInTimeRecoveryEnabled', Properties?.PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled, true],
    ]) {
      if (value !== required)
        yield `has a table whose ${setting} is ${JSON.stringify(value)}: ${STAGE} requires ${required}`;
    }
  }
}

const { service } = JSON.parse(readFileSync(`dist/package/${STAGE}/serverless-state.json`, 'utf8'));
const [fault] = faults(service);
if (fault) {
  console.log(`the package in dist/ ${fault}: nothing is deployed`);
  process.exitCode = 1;
} else {
  const requiresKey = Object.values(service.functions).some(({ events = [] }) =>
    events.some(({ http }) => http?.private),
  );
  console.log(service.service, service.provider.region, service.provider.iam.deploymentRole, requiresKey, release());
}
