// Compares the dashboard, the alarms and the runbook with the stack.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { forStage, root, Workspace } from '../deployment/workspace.mjs';

const LOG = path.join(root, 'target/debug/log');
// The functions' possible log lines: every outcome, a line with every field, and a panic.
const [outcomes, line, panic] = execFileSync(LOG, {
  encoding: 'utf8',
  env: { ...process.env, AWS_LAMBDA_LOG_FORMAT: 'JSON' },
})
  .trim()
  .split('\n')
  .map((text) => JSON.parse(text));

// The metrics that CloudWatch extracts from a line, by their dimensions besides FunctionName.
const METRICS = {};
for (const { Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
  const others = Dimensions[0].filter((name) => name !== 'FunctionName');
  METRICS[others] = [...(METRICS[others] ?? []), ...Metrics.map(({ Name }) => Name)];
}
// The fields that a query can use, besides CloudWatch's own, which begin with @.
const FIELDS = ['error', 'lastAttempt', ...Object.keys(line), ...Object.keys(panic)];

test('the functions have these metrics and fields', () => {
  assert.ok(outcomes.some(({ name }) => name === line.Outcome));
  assert.deepEqual(METRICS, {
    '': ['DynamoDBLatency', 'DynamoDBRetries', 'Latency', 'ColdStarts'],
    Outcome: ['Requests'],
  });
  for (const field of ['apiRequestId', 'coldStart', 'Latency', 'Outcome', 'requestId', 'route'])
    assert.ok(FIELDS.includes(field), field);
});

test('a panic is logged with offsets that resolve to source lines, and with its build', () => {
  assert.equal(panic.level, 'ERROR');
  assert.equal(panic.message, 'panicked: on purpose');
  assert.match(panic.location, /^tests\/src\/bin\/log\.rs:\d+:\d+$/);
  const notes = execFileSync('readelf', ['--notes', LOG], { encoding: 'utf8' });
  assert.ok(notes.includes(`Build ID: ${panic.build}`), notes);
  const offsets = panic.backtrace.split(' ');
  const options = ['--functions', '--inlines', '--demangle', '--pretty-print'];
  const lines = execFileSync('addr2line', [`--exe=${LOG}`, ...options, ...offsets], { encoding: 'utf8' });
  const location = panic.location.slice(0, panic.location.lastIndexOf(':'));
  assert.match(lines, new RegExp(`log::panic_on_purpose at \\S*${location}`));
});

// The metrics of AWS's services, from their documentation, with their dimensions.
const OF_AWS = {
  'AWS/ApiGateway': { 'ApiName,Stage': ['4XXError', '5XXError', 'Count', 'Latency'] },
  'AWS/DynamoDB': {
    'Operation,TableName': ['SuccessfulRequestLatency', 'SystemErrors', 'ThrottledRequests'],
    TableName: ['ConsumedReadCapacityUnits', 'ConsumedWriteCapacityUnits'],
  },
  'AWS/Lambda': { FunctionName: ['ConcurrentExecutions', 'Errors', 'Throttles'] },
};

const page = (name) => readFile(path.join(root, 'docs', name), 'utf8');
/** The anchor of each heading on GitHub and GitLab. */
const anchorsOf = (text) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
const runbook = await page('runbook.md');
const anchors = anchorsOf(runbook);

for (const stage of ['DEV', 'STAGE', 'PROD']) {
  test(stage, async (t) => {
    const { Resources: resources } = await (await Workspace.packaged(t, stage)).template(stage);
    const alarms = ofType(resources, 'AWS::CloudWatch::Alarm');
    // Each function of the API has an alias.
    const functions = ofType(resources, 'AWS::Lambda::Alias').map(
      ([, { Properties }]) => resources[Properties.FunctionName.Ref].Properties.FunctionName,
    );
    const dashboard = JSON.parse(resolved(resources.Dashboard.Properties.DashboardBody['Fn::Sub'], resources));
    const titled = dashboard.widgets
      .filter(({ properties }) => properties.title)
      .map(({ properties }) => properties.title);
    const shown = dashboard.widgets
      .filter(({ type }) => type === 'metric')
      .flatMap(({ properties }) => metricsOf(properties.metrics));

    await t.test(
      'each alarm describes itself, links to the runbook and notifies the topic, also when it recovers',
      () => {
        assert.equal(alarms.length, 7 + functions.length);
        const linked = [];
        for (const [, { Properties }] of alarms) {
          assert.ok(Properties.AlarmName.startsWith(`product-catalog-service-${stage}-`), Properties.AlarmName);
          const [, anchor] = /^[^.]+\. What to do: docs\/runbook\.md#([\w-]+)$/.exec(
            Properties.AlarmDescription.replace(/(\d)\.(\d)/g, '$1$2'),
          );
          assert.ok(anchors.includes(anchor), `${Properties.AlarmName}: docs/runbook.md has no #${anchor}`);
          linked.push(anchor);
          // The release alarm notifies nobody, because the failed deployment does.
          const notified = anchor === 'a-stopped-release' ? undefined : [{ Ref: 'AlarmTopic' }];
          assert.deepEqual(Properties.AlarmActions, notified);
          assert.deepEqual(Properties.OKActions, notified);
          assert.equal(Properties.TreatMissingData, 'notBreaching');
          assert.equal(typeof Properties.Threshold, 'number');
        }
        assert.deepEqual(
          [...new Set(linked)],
          ['errors', 'latency', 'a-stopped-release', 'throttled-table', 'errors-of-dynamodb', 'throttled-functions'],
        );
      },
    );

    await t.test(
      'a release that fails every request of its 10 % is stopped in a minute, and none by a single error',
      () => {
        const { Metrics, Threshold, EvaluationPeriods, ...others } = resources.ReleaseAlarm.Properties;
        assert.deepEqual([EvaluationPeriods, others.DatapointsToAlarm], [1, undefined]);
        assert.deepEqual(
          Metrics.flatMap(({ MetricStat }) => MetricStat?.Period ?? []),
          [60, 60],
        );
        const [{ Expression }] = Metrics.filter((metric) => metric.Expression);
        // Its operators are also JavaScript's.
        const percent = new Function('IF', 'errors', 'requests', `return ${Expression}`);
        const choose = (condition, yes, no) => (condition ? yes : no);
        const stops = (errors, requests) => percent(choose, errors, requests) >= Threshold;
        for (const [errors, requests] of [
          [2, 20],
          [30, 300],
          [600, 6000],
          [20, 20],
        ])
          assert.ok(stops(errors, requests), `${errors} of ${requests}`);
        for (const [errors, requests] of [
          [0, 6000],
          [1, 1],
          [1, 10],
          [30, 6000],
        ])
          assert.ok(!stops(errors, requests), `${errors} of ${requests}`);
      },
    );

    await t.test('the section of each alarm names it, and only widgets that exist', () => {
      const sections = Object.fromEntries(
        runbook
          .split(/^## /m)
          .slice(1)
          .map((section) => [section.split('\n')[0].toLowerCase().replaceAll(' ', '-'), section]),
      );
      for (const [, { Properties }] of alarms) {
        const section = sections[Properties.AlarmDescription.split('#')[1]];
        const named = functions.reduce((name, each) => name.replace(`${each}-`, '…-FUNCTION-'), Properties.AlarmName);
        assert.ok(section.includes(`\`${named.replace(`product-catalog-service-${stage}-`, '…-')}\``), named);
        for (const part of ['**Means**', '**Look**', '**Do**', '**Escalate**'])
          assert.ok(section.includes(part), `${Properties.AlarmName}: ${part}`);
      }
      const prose = runbook.replaceAll(/^```.*?^```/gms, '');
      const named = [...prose.matchAll(/_([^_\n]+)_/g)].map(([, title]) => title);
      assert.ok(named.length > 5);
      assert.deepEqual(
        named.filter((title) => !titled.includes(title)),
        [],
      );
    });

    await t.test('each metric of the alarms and the dashboard belongs to this stack', () => {
      const watched = alarms
        .flatMap(([, { Properties }]) => [
          ...(Properties.MetricName ? [Properties] : []),
          ...(Properties.Metrics ?? []).flatMap(({ MetricStat }) => MetricStat?.Metric ?? []),
        ])
        .map(({ Namespace, MetricName, Dimensions }) => ({
          namespace: Namespace,
          name: MetricName,
          dimensions: Object.fromEntries(
            Dimensions.map(({ Name, Value }) => [Name, resolved(Value.Ref ? `\${${Value.Ref}}` : Value, resources)]),
          ),
        }));
      assert.equal(watched.length, 10 + functions.length);
      assert.equal(shown.length, 15 + 9 * functions.length);
      for (const metric of [...watched, ...shown])
        assert.doesNotThrow(() => known(metric, resources), JSON.stringify(metric));
    });

    await t.test('every metric of the functions is on the dashboard, and the requests by outcome', () => {
      for (const name of functions) {
        const of = shown.filter(
          ({ namespace, dimensions }) => namespace === 'ProductCatalog' && dimensions.FunctionName === name,
        );
        assert.deepEqual([...new Set(of.map((metric) => metric.name))].sort(), Object.values(METRICS).flat().sort());
      }
    });

    await t.test('the dashboard shows every alarm, and its rows are full', () => {
      const [{ properties }] = dashboard.widgets.filter(({ type }) => type === 'alarm');
      assert.deepEqual(
        properties.alarms,
        alarms.map(([name]) => `<${name}.Arn>`),
      );
      // Without positions, CloudWatch places each widget where the next one fits.
      let column = 0;
      for (const { x, y, width } of dashboard.widgets) {
        assert.deepEqual([x, y], [undefined, undefined]);
        column = (column + width) % 24;
        assert.ok(column === 0 || column >= width, 'a widget is in one row');
      }
      assert.equal(column, 0, 'every row is full');
      assert.deepEqual(
        dashboard.widgets.flatMap(
          ({ properties: { annotations } }) => annotations?.horizontal.map(({ value }) => value) ?? [],
        ),
        [resources.ErrorsAlarm.Properties.Threshold, resources.LatencyAlarm.Properties.Threshold],
      );
    });

    await t.test('queries use only fields that are in the log of the functions or of API Gateway', () => {
      const queries = dashboard.widgets.filter(({ type }) => type === 'log').map(({ properties: { query } }) => query);
      const ofRunbook = [...runbook.matchAll(/^```text\n(.*?)^```/gms)].map(([, query]) => query);
      assert.deepEqual([queries.length, ofRunbook.length], [2, 2]);
      const ofApiGateway = Object.keys(JSON.parse(resources.ApiGatewayStage.Properties.AccessLogSetting.Format));
      for (const query of queries)
        assert.ok(query.startsWith(`${functions.map((name) => `SOURCE '/aws/lambda/${name}'`).join(' | ')}\n`), query);
      for (const query of [...queries, ...ofRunbook]) {
        const asked = [...query.matchAll(/\b(?:filter|sort) (@?\w+)|\b(?:fields|by) (.+)/g)].flatMap(
          ([, one, several]) => one ?? several.split(', '),
        );
        assert.ok(asked.length > 2, query);
        const counted = [...query.matchAll(/ as (\w+)/g)].map(([, name]) => name);
        const had = counted.length ? [...counted, ...ofApiGateway] : FIELDS;
        assert.deepEqual(
          asked.filter((field) => !field.startsWith('@') && !had.includes(field)),
          [],
        );
      }
    });

    await t.test('the dashboard links to the runbook', () => {
      const [{ properties }] = dashboard.widgets.filter(({ type }) => type === 'text');
      assert.match(properties.markdown, /\[docs\/runbook\.md\]\(docs\/runbook\.md\)/);
    });
  });
}

test('links in the README and in docs/ lead to files and sections that exist', async () => {
  const names = [
    'README.md',
    ...(await readdir(path.join(root, 'docs'), { recursive: true })).map((name) => `docs/${name}`),
  ];
  const read = (name) => readFile(path.join(root, name), 'utf8');
  const links = [];
  for (const from of names.filter((name) => name.endsWith('.md')))
    for (const [, file, anchor] of (await read(from)).matchAll(/\]\(([^\s():#]*)(?:#([\w-]+))?\)/g))
      links.push({ from, to: file ? path.join(path.dirname(from), file) : from, anchor });
  assert.ok(links.length > 100);
  const broken = await Promise.all(
    links.map(async ({ to, anchor }) => {
      if (anchor) return !anchorsOf(await read(to).catch(() => '')).includes(anchor);
      return access(path.join(root, to)).catch(() => true);
    }),
  );
  assert.deepEqual(
    links.filter((_, index) => broken[index]),
    [],
  );
});

test('a stage configures whom its alarms notify, and where its runbook is', async (t) => {
  const subscription = ({ Conditions, Resources }) => [
    Conditions.HasAlarmEndpoint['Fn::Not'][0]['Fn::Equals'],
    Resources.AlarmTopic.Properties.Subscription['Fn::If'][1],
  ];
  const workspace = await Workspace.packaged(t, 'STAGE');
  assert.deepEqual(subscription(await workspace.template('STAGE')), [['', ''], [{ Endpoint: '', Protocol: 'email' }]]);
  const pager = 'https://events.example.com/1';
  const stack = await workspace.read('serverless.yml');
  const configured = `    alarmEndpoint: ${pager}\n    alarmProtocol: https\n    runbook: https://git.example.com/docs/runbook.md\n`;
  await workspace.write('serverless.yml', stack.replace('  STAGE:\n', `  STAGE:\n${configured}`));
  const packaged = await workspace.run('scripts/package.sh', [], forStage('STAGE'));
  assert.equal(packaged.code, 0, packaged.stderr);
  const paged = await workspace.template('STAGE');
  assert.deepEqual(subscription(paged), [[pager, ''], [{ Endpoint: pager, Protocol: 'https' }]]);
  for (const [, { Properties }] of ofType(paged.Resources, 'AWS::CloudWatch::Alarm'))
    assert.match(Properties.AlarmDescription, /: https:\/\/git\.example\.com\/docs\/runbook\.md#/);
});

const ofType = (resources, type) => Object.entries(resources).filter(([, { Type }]) => Type === type);

/** The result of Fn::Sub: a resource's name if it has one, or its logical id if AWS generates the name. */
const resolved = (text, resources) =>
  text.replaceAll(/\$\{([^}]+)\}/g, (_, reference) => {
    if (reference.startsWith('!')) return `\${${reference.slice(1)}}`;
    if (reference.startsWith('AWS::')) return `<${reference}>`;
    const [name, attribute] = reference.split('.');
    assert.ok(name in resources, `there is no ${name} in the stack`);
    const { FunctionName, TableName, StageName, LogGroupName } = resources[name].Properties;
    return attribute ? `<${reference}>` : (FunctionName ?? TableName ?? StageName ?? LogGroupName);
  });

const SEARCH = /^SEARCH\('\{(\w+),FunctionName,(\w+)\} MetricName="(\w+)" FunctionName="([^"]+)"', 'Sum', 60\)$/;
/**
 * The metrics of a widget, and those that a search finds, but no results of other expressions. A search finds every value
 * of its second dimension, for which its label stands here.
 */
function metricsOf(lines) {
  return lines.flatMap((line) => {
    const [{ expression, label }] = line;
    if (expression) {
      const [, namespace, second, name, FunctionName] = SEARCH.exec(expression) ?? [];
      return namespace ? [{ namespace, name, dimensions: { FunctionName, [second]: label } }] : [];
    }
    const [namespace, name, ...dimensions] = line.filter((part) => typeof part === 'string');
    const pairs = dimensions.flatMap((part, i) => (i % 2 ? [] : [[part, dimensions[i + 1]]]));
    return [{ namespace, name, dimensions: Object.fromEntries(pairs) }];
  });
}

/** Throws unless a resource of the stack has this metric. */
function known({ namespace, name, dimensions }, resources) {
  const { FunctionName, ...others } = dimensions;
  const own = namespace === 'ProductCatalog';
  const names = own ? METRICS[Object.keys(others).join()] : OF_AWS[namespace][Object.keys(dimensions).sort().join()];
  assert.ok(names.includes(name), name);
  const values = (type, property) => ofType(resources, type).map(([, { Properties }]) => Properties[property]);
  const called = {
    ApiName: values('AWS::ApiGateway::RestApi', 'Name'),
    FunctionName: values('AWS::Lambda::Function', 'FunctionName'),
    Operation: ofType(resources, 'AWS::IAM::Role').flatMap(([, { Properties }]) =>
      [Properties.Policies[0].PolicyDocument.Statement[0].Action]
        .flat()
        .map((action) => action.replace('dynamodb:', '')),
    ),
    Outcome: [`${FunctionName?.split('-').at(-1)} \${PROP('Dim.Outcome')}`],
    Stage: values('AWS::ApiGateway::Stage', 'StageName'),
    TableName: values('AWS::DynamoDB::Table', 'TableName'),
  };
  for (const [dimension, value] of Object.entries(dimensions))
    assert.ok(called[dimension].includes(value), `${dimension} ${value}`);
}
