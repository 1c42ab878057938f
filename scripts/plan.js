'use strict';

// Shows what a release would change in a stack, for the person who approves it. scripts/plan.sh calls it:
//   plan.js template            prints the template of the package in dist/package/$STAGE, small enough for CloudFormation.
//   plan.js first               says what is created where there is no stack yet.
//   plan.js functions FILE      lists the functions that the change set in FILE modifies.
//   plan.js changes FILE HASHES says what the change set changes. HASHES has a line for each such function: its name, and
//                               the hash of the code that it has now.
// The last two also write changes.txt: one line for the approval.
//
// A change set lists more than the real changes. Each package has a new ApiGatewayDeployment, and new S3 keys for code
// that may be the same. CloudFormation also lists everything that refers to a changed resource, although the resource's
// name and ARN stay the same unless it is replaced.

const { createHash } = require('node:crypto');
const { readFileSync, writeFileSync } = require('node:fs');

/** The largest template in bytes that CloudFormation accepts without a bucket. */
const LARGEST_TEMPLATE = 51_200;
/** The longest summary, in characters, that fits into an email and the console. */
const LONGEST_SUMMARY = 300;

const { STAGE } = process.env;

/** The package's service, with each `$ref` resolved; osls writes one instead of repeating a value. */
function service() {
  const state = JSON.parse(readFileSync(`dist/package/${STAGE}/serverless-state.json`, 'utf8'));
  const resolve = (value) => {
    if (Object(value) !== value) return value;
    if (typeof value.$ref === 'string')
      return resolve([...value.$ref.matchAll(/\["?(.*?)"?\]/g)].reduce((at, [, key]) => at[key], state));
    const entries = Object.entries(value).map(([key, inner]) => [key, resolve(inner)]);
    return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
  };
  return { ...state.service, template: resolve(state.service.provider.compiledCloudFormationTemplate) };
}

const isDeployment = ({ LogicalResourceId: id, ResourceType }) =>
  ResourceType === 'AWS::ApiGateway::Deployment' && /^ApiGatewayDeployment\d+$/.test(id);

/** The real changes of a change set: each resource that changes, with the reasons. */
function changesOf(changeSet, sameCode) {
  const all = changeSet.Changes.map(({ ResourceChange }) => ResourceChange);
  let left = all
    .filter((change) => !isDeployment(change))
    .map((change) => ({ ...change, Details: change.Details ?? [] }));
  // The names of resources that CloudFormation lists although they do not change.
  const listed = new Set(all.filter(isDeployment).map(({ LogicalResourceId }) => LogicalResourceId));

  const stays = (id) => {
    const found = left.find(({ LogicalResourceId }) => LogicalResourceId === id);
    return listed.has(id) || (found?.Action === 'Modify' && replaced(found) === 'no');
  };
  const isListed = (change, detail) => {
    const { CausingEntity = '', ChangeSource, Target = {} } = detail;
    if (change.ResourceType === 'AWS::ApiGateway::Stage' && Target.Name === 'DeploymentId') return true;
    if (change.ResourceType === 'AWS::Lambda::Function' && Target.Name === 'Code') return sameCode(change);
    const [id, attribute = 'Arn'] = CausingEntity.split('.');
    if (ChangeSource === 'ResourceReference') return stays(id);
    if (ChangeSource === 'ResourceAttribute') return attribute === 'Arn' && stays(id);
    // For each reference, CloudFormation also lists the property as changed directly, to a value that is not known yet.
    const beside = references.get(change.LogicalResourceId).filter((each) => place(each) === place(detail));
    return isUnknown(Target) && beside.length > 0 && beside.every((each) => isListed(change, each));
  };
  const references = new Map(
    left.map(({ LogicalResourceId, Details }) => [LogicalResourceId, Details.filter((each) => each.CausingEntity)]),
  );
  // Repeat: a change that follows only from resources that do not change is not a change either.
  for (let before = -1; before !== count(left); ) {
    before = count(left);
    for (const change of left) {
      const kept = change.Details.filter((detail) => !isListed(change, detail));
      if (change.Action === 'Modify' && change.Details.length > 0 && kept.length === 0 && change.Replacement !== 'True')
        listed.add(change.LogicalResourceId);
      change.Details = kept;
    }
    left = left.filter(({ LogicalResourceId }) => !listed.has(LogicalResourceId));
  }
  return left;
}

const place = ({ Target = {} }) => Target.Path ?? Target.Name ?? Target.Attribute;
const isUnknown = ({ AfterValue }) => AfterValue?.includes('changeSet:KNOWN_AFTER_APPLY') ?? false;

const count = (changes) => changes.reduce((sum, { Details }) => sum + 1 + Details.length, 0);

/** Whether a new resource replaces this one: yes, no or perhaps. */
function replaced({ Replacement, Details }) {
  if (Replacement === 'True') return 'yes';
  if (Replacement !== 'Conditional') return 'no';
  return Details.some(({ Target = {} }) => Target.RequiresRecreation !== 'Never') ? 'perhaps' : 'no';
}

/** What happens to a resource, the most serious first. Capitals mark resources that are lost. */
const VERBS = ['REPLACES', 'REMOVES', 'PERHAPS REPLACES', 'imports', 'changes', 'adds', 'no longer manages'];

function verb(change) {
  const { Action, PolicyAction } = change;
  if (Action === 'Add') return 'adds';
  // CloudFormation decides this only when it executes the change.
  if (Action === 'Dynamic') return 'PERHAPS REPLACES';
  if (Action === 'Import') return 'imports';
  if (Action === 'Remove') {
    // Earlier versions of functions are kept outside the stack, which is not worth a warning.
    return change.ResourceType === 'AWS::Lambda::Version' && PolicyAction !== 'Delete'
      ? 'no longer manages'
      : 'REMOVES';
  }
  return { yes: 'REPLACES', perhaps: 'PERHAPS REPLACES', no: 'changes' }[replaced(change)];
}

/** What happens to the existing resource. */
const FATE = {
  Delete: 'it is deleted',
  ReplaceAndDelete: 'the old one is deleted',
  ReplaceAndRetain: 'the old one is kept, without its data in the new one',
  ReplaceAndSnapshot: 'the old one is kept as a snapshot',
  Retain: 'it is kept, outside the stack',
  Snapshot: 'a snapshot of it is kept',
};

/** The property that changes, with its old and new values if they are short. */
function property(detail) {
  const { AfterValue, BeforeValue } = detail.Target ?? {};
  const isShort = [BeforeValue, AfterValue].every((value) => value !== undefined && value.length <= 40);
  const values = isShort && !isUnknown(detail.Target) ? ` ${BeforeValue} -> ${AfterValue}` : '';
  return `${place(detail)?.replace('/Properties/', '')}${values}`;
}

function line(change) {
  const { LogicalResourceId, ResourceType, Details, PolicyAction } = change;
  const reasons = [...new Set(Details.map(property))].join(', ');
  const shouts = verb(change) !== verb(change).toLowerCase();
  const fate = shouts && FATE[PolicyAction] ? `; ${FATE[PolicyAction]}` : '';
  return `${shouts ? '!!' : '  '} ${verb(change)} ${LogicalResourceId} (${ResourceType})${reasons ? `: ${reasons}` : ''}${fate}`;
}

/** One line of limited length, without characters that are special to a shell, JSON or CodePipeline. */
function summary(changes) {
  // Drop the hash at the end of a version's name.
  const short = ({ LogicalResourceId: id, ResourceType }) =>
    ResourceType === 'AWS::Lambda::Version' ? id.replace(/(Version).*/, '$1') : id;
  const parts = VERBS.flatMap((each) => {
    const names = changes.filter((change) => verb(change) === each).map(short);
    return names.length > 0 && each !== 'no longer manages' ? [`${each} ${names.join(', ')}`] : [];
  });
  const text = parts.join('; ').replaceAll(/[^A-Za-z0-9 ,;.:()-]/g, '');
  const more = '... see the log for all';
  return text.length <= LONGEST_SUMMARY ? text : `${text.slice(0, LONGEST_SUMMARY - more.length)}${more}`;
}

function report(lines, changes) {
  console.log(lines.join('\n'));
  writeFileSync('changes.txt', `${changes}\n`);
}

const COMMANDS = {
  template() {
    const text = JSON.stringify(service().template);
    const bytes = Buffer.byteLength(text);
    if (bytes > LARGEST_TEMPLATE) {
      const limit = `CloudFormation accepts ${LARGEST_TEMPLATE} without a bucket`;
      console.log(`the template of ${STAGE} has ${bytes} bytes, but ${limit}: nothing is planned`);
      process.exitCode = 1;
    } else process.stdout.write(text);
  },
  first() {
    const resources = Object.entries(service().template.Resources);
    const lines = resources.map(([id, { Type }]) => `   adds ${id} (${Type})`).sort();
    const changes = `first deployment: adds up to ${resources.length} resources`;
    report([`The stack does not exist yet. This release is its ${changes}:`, ...lines], changes);
  },
  functions(file) {
    for (const { ResourceChange: change } of JSON.parse(readFileSync(file, 'utf8')).Changes)
      if (change.Action === 'Modify' && change.ResourceType === 'AWS::Lambda::Function')
        console.log(change.PhysicalResourceId);
  },
  changes(file, hashes) {
    const { functions } = service();
    const deployed = new Map(
      readFileSync(hashes, 'utf8')
        .split('\n')
        .map((each) => each.split(' ')),
    );
    const sameCode = ({ PhysicalResourceId: name }) => {
      const packaged = Object.values(functions).find((each) => each.name === name);
      const hash = packaged && createHash('sha256').update(readFileSync(packaged.package.artifact)).digest('base64');
      return hash !== undefined && deployed.get(name) === hash;
    };
    const all = JSON.parse(readFileSync(file, 'utf8'));
    const changes = changesOf(all, sameCode);
    changes.sort((one, other) => VERBS.indexOf(verb(one)) - VERBS.indexOf(verb(other)));
    const unlisted = all.Changes.length - changes.length;
    if (changes.length === 0) report(['This release changes nothing.'], 'no changes');
    else report(['This release:', ...changes.map(line)], summary(changes));
    if (unlisted > 0)
      console.log(`   (Omitted: ${unlisted} entries that only follow from the package's new S3 keys and deployment.)`);
  },
};

const [command, ...args] = process.argv.slice(2);
COMMANDS[command](...args);
