// Reads a CloudFormation template and resolves it for given parameters, as CloudFormation would.
// It rejects anything that it does not support, so that no policy is evaluated incompletely.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const shortTags = ['And', 'Condition', 'Equals', 'GetAtt', 'If', 'Join', 'Not', 'Or', 'Ref', 'Sub'].flatMap((name) => {
  const key = name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`;
  return [
    { tag: `!${name}`, resolve: (text) => ({ [key]: text }) },
    { tag: `!${name}`, collection: 'seq', resolve: (list) => ({ [key]: list.toJSON() }) },
  ];
});

/** The template as written, with short tags expanded. */
export const read = (path) =>
  parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'), { customTags: shortTags });

/** The resources of the template with these parameters, with all intrinsic functions resolved. */
export function resources(path, { account, region, parameters }) {
  const template = read(path);
  const values = {
    'AWS::AccountId': account,
    'AWS::NoValue': undefined,
    'AWS::Partition': 'aws',
    'AWS::Region': region,
    'AWS::URLSuffix': 'amazonaws.com',
  };
  for (const [name, { Default, AllowedPattern, AllowedValues }] of Object.entries(template.Parameters)) {
    const value = parameters[name] ?? Default;
    if (value === undefined) throw new Error(`${path}: parameter ${name} has no value`);
    if (AllowedPattern && !new RegExp(AllowedPattern).test(value))
      throw new Error(`${path}: ${name} ${value} does not match`);
    if (AllowedValues && !AllowedValues.includes(value)) throw new Error(`${path}: ${name} ${value} is not allowed`);
    values[name] = value;
  }

  const holds = (name) => resolve(template.Conditions[name]);
  const made = (name) => {
    const resource = template.Resources[name];
    if (!resource) throw new Error(`${path}: there is no ${name}`);
    if (resource.Condition && !holds(resource.Condition)) throw new Error(`${path}: ${name} is not created`);
    return { type: resource.Type, name, properties: resource.Properties };
  };
  const ref = (name) => {
    if (name in values) return values[name];
    const { type, properties } = made(name);
    switch (type) {
      case 'AWS::KMS::Key':
        return name;
      case 'AWS::CloudWatch::Dashboard':
        return resolve(properties.DashboardName);
      case 'AWS::CodePipeline::Pipeline':
        return resolve(properties.Name);
      case 'AWS::SNS::Topic':
        return `arn:aws:sns:${region}:${account}:${name}`;
      case 'AWS::IAM::ManagedPolicy':
        return `arn:aws:iam::${account}:policy/${resolve(properties.ManagedPolicyName ?? name)}`;
      case 'AWS::CodeBuild::Project':
        return resolve(properties.Name);
      case 'AWS::Logs::LogGroup':
        return resolve(properties.LogGroupName);
      case 'AWS::S3::Bucket':
        return name.toLowerCase();
      default:
        throw new Error(`${path}: what does !Ref give for ${type}?`);
    }
  };
  const arns = {
    'AWS::CodeBuild::Project': (name) => `arn:aws:codebuild:${region}:${account}:project/${ref(name)}`,
    'AWS::Events::Rule': (name, { Name = name }) => `arn:aws:events:${region}:${account}:rule/${resolve(Name)}`,
    'AWS::IAM::ManagedPolicy': (name) => ref(name),
    'AWS::IAM::Role': (name, { RoleName = name }) => `arn:aws:iam::${account}:role/${resolve(RoleName)}`,
    'AWS::KMS::Key': (name) => `arn:aws:kms:${region}:${account}:key/${name}`,
    'AWS::Logs::LogGroup': (name) => `arn:aws:logs:${region}:${account}:log-group:${ref(name)}:*`,
    'AWS::S3::Bucket': (name) => `arn:aws:s3:::${ref(name)}`,
    'AWS::SNS::Topic': (name) => ref(name),
  };
  const arn = (name) => {
    const { type, properties } = made(name);
    if (!(type in arns)) throw new Error(`${path}: what is the ARN of ${type}?`);
    return arns[type](name, properties);
  };
  const getAtt = (text) => {
    const [name, attribute] = text.split('.');
    if (attribute !== 'Arn') throw new Error(`${path}: what is ${text}?`);
    return arn(name);
  };
  const sub = (text, extra = {}) =>
    text.replace(/\$\{([^}]+)\}/g, (_, name) => {
      const value = name in extra ? resolve(extra[name]) : name.includes('.') ? getAtt(name) : ref(name);
      if (value === undefined) throw new Error(`${path}: ${name} has no value in ${text}`);
      return value;
    });
  const functions = {
    Condition: holds,
    Ref: ref,
    'Fn::And': (terms) => terms.every(resolve),
    'Fn::Equals': ([one, other]) => resolve(one) === resolve(other),
    'Fn::GetAtt': getAtt,
    'Fn::If': ([name, yes, no]) => resolve(holds(name) ? yes : no),
    'Fn::Join': ([separator, items]) => resolve(items).join(separator),
    'Fn::Not': ([term]) => !resolve(term),
    'Fn::Or': (terms) => terms.some(resolve),
    'Fn::Sub': (text) => (Array.isArray(text) ? sub(...text) : sub(text)),
  };

  // AWS::NoValue is undefined here, and removes its property or list item.
  function resolve(node) {
    if (Array.isArray(node)) return node.map(resolve).filter((item) => item !== undefined);
    if (node === null || typeof node !== 'object') return node;
    const [[key, value] = [], ...more] = Object.entries(node);
    // A policy's Condition block is an object; a reference to a condition is a string.
    if (!more.length && key in functions && !(key === 'Condition' && typeof value === 'object'))
      return functions[key](value);
    if (!more.length && key?.startsWith('Fn::')) throw new Error(`${path}: ${key} is not known here`);
    return Object.fromEntries(
      Object.entries(node)
        .map(([name, item]) => [name, resolve(item)])
        .filter(([, item]) => item !== undefined),
    );
  }

  for (const { RuleCondition, Assertions } of Object.values(template.Rules ?? {})) {
    const failed = Assertions.find(({ Assert }) => !resolve(Assert));
    if (failed && (!RuleCondition || resolve(RuleCondition))) throw new Error(`${path}: ${failed.AssertDescription}`);
  }

  const all = Object.fromEntries(
    Object.entries(template.Resources)
      .filter(([, { Condition }]) => !Condition || holds(Condition))
      .map(([name, { Type, Properties }]) => [
        name,
        { Type, Arn: Type in arns ? arn(name) : undefined, ...resolve(Properties) },
      ]),
  );
  // A role includes the template's policies that are attached to it.
  const policies = Object.values(all).filter(({ Type }) => Type === 'AWS::IAM::ManagedPolicy');
  for (const made of Object.values(all).filter(({ Type }) => Type === 'AWS::IAM::Role')) {
    made.Attached = policies
      .filter(({ Arn }) => made.ManagedPolicyArns?.includes(Arn))
      .map(({ PolicyDocument }) => PolicyDocument);
  }
  return all;
}
