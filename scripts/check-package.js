'use strict';

// Checks the package in dist/package/$STAGE, and the zips in dist/, before scripts/deploy.sh deploys them. Prints the
// service's name, the region, the execution role, whether the API requires a key, and the release's number; or, with exit
// code 1, why the package must not be deployed.
//
// Build writes the package, and runs the build scripts of every dependency. So nothing in the package is executed, and
// osls, which holds the credentials of the target account and uploads whatever a package names, must find nothing there
// but a package: not even a link to /proc/self/environ.
//
// osls uploads the zips before it asks CloudFormation what changes, to the place that the package names. Other zips than
// those of this package would overwrite there what a rollback needs.

const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { readdirSync, readFileSync } = require('node:fs');

const { STAGE, TARGET_ACCOUNT_ID, RELEASE } = process.env;

const release = () => execFileSync('bash', ['scripts/release.sh'], { encoding: 'utf8' }).trim();

const isCalled = ({ events = [] }) => events.some(({ http }) => http);

function* faults({ functions, layers, package: common, provider, service }) {
  // osls deploys a package of another stage without complaint, and so creates a wrong stack.
  if (provider.stage !== STAGE) yield `is of stage ${provider.stage} and not of ${STAGE}`;
  const role = provider.iam.deploymentRole;
  if (!new RegExp(`^arn:[a-z-]+:iam::${TARGET_ACCOUNT_ID}:role/[\\w+=,.@-]+$`).test(role))
    yield `is for the account of ${role} and not for ${TARGET_ACCOUNT_ID}`;
  if (!/^[a-z][a-z0-9-]*$/.test(service)) yield `is of the service ${service}, which is not a name`;
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(provider.region)) yield `is for ${provider.region}, which is not a region`;

  for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) yield `has ${entry.name}, which is neither a file nor a folder`;
  }
  for (const [name, { package: own }] of Object.entries(functions)) {
    if (!/^dist\/[\w-]+\.zip$/.test(own?.artifact))
      yield `has ${own?.artifact} as the code of ${name}, not a zip in dist/`;
  }
  if (common?.artifact || Object.keys(layers ?? {}).length > 0) yield 'names files besides the code of its functions';

  const { Resources: resources } = provider.compiledCloudFormationTemplate;
  if (RELEASE && release() !== RELEASE) yield `has the zips of release ${release()} and not of ${RELEASE}`;
  for (const [name, definition] of Object.entries(functions)) yield* otherCode(name, definition, resources);

  if (STAGE !== 'DEV') yield* unprotected(resources);
}

/** A version has the hash of its zip. What nobody calls through the API may have none: the release's number covers it. */
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

/** What IAM cannot express: who may update a table may also end its protection. */
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
