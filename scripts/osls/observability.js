'use strict';

const { functionsOfApi } = require('./functions.js');

// The dashboard, and an alarm for each function of the API. The other alarms are in observability.yml; docs/runbook.md
// explains how to respond.
class Observability {
  constructor(serverless) {
    const { service } = serverless;
    const finish = () => {
      const { Resources } = service.provider.compiledCloudFormationTemplate;
      const functions = functionsOfApi(service);
      for (const each of functions)
        Resources[`${each.id}ThrottledAlarm`] = throttledAlarm(each, service.custom.runbook);
      Resources.Dashboard = {
        Type: 'AWS::CloudWatch::Dashboard',
        Properties: {
          DashboardName: service.provider.apiName,
          DashboardBody: { 'Fn::Sub': JSON.stringify(dashboard(service, Resources, functions)) },
        },
      };
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

// One alarm per function, not one for the sum: a minute without throttles has no data point, and a sum with a missing
// value is missing.
const throttledAlarm = ({ name, definition, id }, runbook) => ({
  Type: 'AWS::CloudWatch::Alarm',
  Properties: {
    AlarmName: `${definition.name}-throttled`,
    AlarmDescription: `Lambda throttled the function ${name} at least 10 times a minute, in 3 of 5 minutes: the account reached its concurrency limit. What to do: ${runbook}#throttled-functions`,
    Namespace: 'AWS/Lambda',
    MetricName: 'Throttles',
    Dimensions: [{ Name: 'FunctionName', Value: { Ref: `${id}LambdaFunction` } }],
    Statistic: 'Sum',
    Period: 60,
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    // Fewer are handled by the callers' retries.
    Threshold: 10,
    EvaluationPeriods: 5,
    DatapointsToAlarm: 3,
    TreatMissingData: 'notBreaching',
    AlarmActions: [{ Ref: 'AlarmTopic' }],
    OKActions: [{ Ref: 'AlarmTopic' }],
  },
});

// From top to bottom: alarms, requests, functions, table, logs. CloudFormation replaces ${...}.
function dashboard({ service, provider, custom }, resources, functions) {
  const ofFunctions = (namespace, metric, label, options) =>
    functions.map(({ name, id }) => [
      ...[namespace, metric, 'FunctionName', `\${${id}LambdaFunction}`],
      { ...options, label: `${name} ${label}`.trim() },
    ]);
  const ofApi = (metric, options) => ['AWS/ApiGateway', metric, 'ApiName', provider.apiName, 'Stage', STAGE, options];
  const ofTable = (metric, operation, options) => [
    ...['AWS/DynamoDB', metric, 'TableName', TABLE],
    ...(operation ? ['Operation', operation] : []),
    options,
  ];
  const logs = functions.map(({ id }) => `SOURCE '\${${id}LogGroup}'`).join(' | ');
  const alarms = Object.keys(resources).filter((id) => resources[id].Type === 'AWS::CloudWatch::Alarm');

  return {
    start: '-PT3H',
    widgets: [
      ...row(2, {
        type: 'text',
        properties: {
          markdown: `# ${service} ${provider.stage}\nWhat an alarm means and what to do: [${custom.runbook}](${custom.runbook})`,
        },
      }),
      ...row(3, { type: 'alarm', properties: { title: 'Alarms', alarms: alarms.map((id) => `\${${id}.Arn}`) } }),
      ...row(
        6,
        graph('Requests', [
          ofApi('Count', { label: 'all' }),
          ofApi('4XXError', { label: '4xx: caller' }),
          ofApi('5XXError', { label: '5xx: service' }),
        ]),
        graph(
          'Errors in percent',
          [
            ofApi('5XXError', { stat: 'Average', id: 'errors', visible: false }),
            [{ expression: '100 * errors', label: '5xx' }],
          ],
          resources.ErrorsAlarm,
        ),
        graph(
          'Latency of the API, in ms',
          ['p50', 'p95', 'p99'].map((stat) => ofApi('Latency', { stat, label: stat })),
          resources.LatencyAlarm,
        ),
      ),
      ...row(
        8,
        graph(
          'Responses of the functions',
          // Finds every outcome that a function has logged in the last two weeks.
          functions.map(({ name, id }) => [
            {
              expression: `SEARCH('{ProductCatalog,FunctionName,Outcome} MetricName="Requests" FunctionName="\${${id}LambdaFunction}"', 'Sum', 60)`,
              label: `${name} \${!PROP('Dim.Outcome')}`,
            },
          ]),
        ),
        graph('Latency of the functions, in ms', [
          ...ofFunctions('ProductCatalog', 'Latency', 'p50', { stat: 'p50' }),
          ...ofFunctions('ProductCatalog', 'Latency', 'p99', { stat: 'p99' }),
        ]),
      ),
      ...row(
        6,
        graph('Cold starts', ofFunctions('ProductCatalog', 'ColdStarts', '')),
        graph('Crashes, timeouts and throttles of the functions', [
          ...ofFunctions('AWS/Lambda', 'Errors', 'crashed or timed out'),
          ...ofFunctions('AWS/Lambda', 'Throttles', 'throttled'),
        ]),
        graph('Concurrent executions', ofFunctions('AWS/Lambda', 'ConcurrentExecutions', '', { stat: 'Maximum' })),
      ),
      ...row(
        6,
        graph('Latency of DynamoDB, in ms', [
          // How long a function waits, retries included, next to DynamoDB's own latency of a single request.
          ...ofFunctions('ProductCatalog', 'DynamoDBLatency', 'p99, with retries', { stat: 'p99' }),
          ofTable('SuccessfulRequestLatency', 'PutItem', { stat: 'Average', label: 'write' }),
          ofTable('SuccessfulRequestLatency', 'GetItem', { stat: 'Average', label: 'read' }),
        ]),
        graph('Throttles, failures and retries of DynamoDB', [
          ofTable('ThrottledRequests', 'PutItem', { label: 'writes throttled' }),
          ofTable('ThrottledRequests', 'GetItem', { label: 'reads throttled' }),
          ofTable('SystemErrors', 'PutItem', { label: 'writes failed' }),
          ofTable('SystemErrors', 'GetItem', { label: 'reads failed' }),
          ...ofFunctions('ProductCatalog', 'DynamoDBRetries', 'retried'),
        ]),
        graph('Consumed capacity of the table', [
          ofTable('ConsumedWriteCapacityUnits', undefined, { label: 'write units' }),
          ofTable('ConsumedReadCapacityUnits', undefined, { label: 'read units' }),
        ]),
      ),
      ...row(
        8,
        query(
          'Latest errors',
          logs,
          "filter level = 'ERROR'",
          'fields @timestamp, message, error, lastAttempt, location, build, backtrace, apiRequestId',
          'sort @timestamp desc',
        ),
        query(
          'Slowest responses',
          logs,
          "filter message = 'responded'",
          'fields @timestamp, route, Outcome, Latency, DynamoDBLatency, DynamoDBRetries, coldStart, apiRequestId',
          'sort Latency desc',
        ),
      ),
    ],
  };
}

const STAGE = '${ApiGatewayStage}';
const TABLE = '${ProductCatalogDynamoDBTable}';

/** Widgets of one height side by side, over all 24 columns. Without a position, each takes the next free one. */
const row = (height, ...widgets) => widgets.map((widget) => ({ width: 24 / widgets.length, height, ...widget }));

/** A graph of metrics: [namespace, name, dimension, value, ..., options]. */
const graph = (title, metrics, alarm) => ({
  type: 'metric',
  properties: {
    title,
    region: '${AWS::Region}',
    view: 'timeSeries',
    period: 60,
    stat: 'Sum',
    yAxis: { left: { min: 0 } },
    metrics,
    ...(alarm && { annotations: { horizontal: [{ label: 'Alarm', value: alarm.Properties.Threshold }] } }),
  },
});

const query = (title, ...commands) => ({
  type: 'log',
  properties: { title, region: '${AWS::Region}', view: 'table', query: [...commands, 'limit 50'].join('\n| ') },
});

module.exports = Observability;
