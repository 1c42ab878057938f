// A fake of the CloudWatch features that pipeline/delivery.yml uses: Logs Insights queries, metric filters and metric
// math, as AWS documents them. It shows that the arithmetic is correct, not that CloudWatch accepts the syntax. It
// rejects anything that it does not support.

const TOKEN = /\s*(?:(\d+)|'([^']*)'|"([^"]*)"|`([^`]+)`|([@$]?[a-zA-Z][\w.]*|\$[\w.-]+)|(&&|[-+*/=>(),]))/y;
const STRENGTH = { and: 1, '&&': 1, '=': 2, '>': 2, '+': 3, '-': 3, '*': 4, '/': 4 };

/** An expression as a tree: numbers, texts, names, calls and operators. */
function parse(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (!found) throw new Error(`what is ${text.slice(from)}?`);
    const [, number, single, double, quoted, name, symbol] = found;
    if (number) tokens.push({ number: Number(number) });
    else if (single ?? double) tokens.push({ text: single ?? double });
    else if (quoted) tokens.push({ name: quoted });
    else tokens.push(name in STRENGTH || symbol ? { symbol: symbol ?? name } : { name });
  }
  const next = () => tokens[0]?.symbol;
  const take = (symbol) => {
    const token = tokens.shift();
    if (symbol && token?.symbol !== symbol) throw new Error(`${symbol} is missing in ${text}`);
    return token;
  };
  function operand() {
    const token = take();
    if (token?.symbol === '(') {
      const inner = expression(0);
      take(')');
      return inner;
    }
    if (!token || token.symbol) throw new Error(`an operand is missing in ${text}`);
    if (!token.name || next() !== '(') return token;
    take('(');
    const operands = [];
    while (next() !== ')') {
      // count(*)
      operands.push(next() === '*' ? take() : expression(0));
      if (next() === ',') take();
    }
    take(')');
    return { call: token.name, operands };
  }
  function expression(least) {
    let left = operand();
    while (STRENGTH[next()] > least) {
      const { symbol } = take();
      left = { call: symbol, operands: [left, expression(STRENGTH[symbol])] };
    }
    return left;
  }
  const tree = expression(0);
  if (tokens.length > 0) throw new Error(`unexpected text at the end of ${text}`);
  return tree;
}

const OPERATORS = {
  '+': (one, other) => one + other,
  '-': (one, other) => one - other,
  '*': (one, other) => one * other,
  '/': (one, other) => one / other,
  '=': (one, other) => Number(one === other),
  '>': (one, other) => Number(one > other),
  and: (one, other) => one && other,
  '&&': (one, other) => one && other,
};

function evaluate(tree, { value, functions }) {
  if ('number' in tree) return tree.number;
  if ('text' in tree) return tree.text;
  if ('name' in tree) return value(tree.name);
  const known = functions[tree.call];
  if (!known) throw new Error(`${tree.call} is not known here`);
  return known.whole
    ? known.whole(tree.operands)
    : known(...tree.operands.map((operand) => evaluate(operand, { value, functions })));
}

const at = (event, path) => path.split('.').reduce((value, name) => value?.[name], event);

// ---- Logs Insights -------------------------------------------------------------------------------

const FUNCTIONS = {
  ...OPERATORS,
  concat: (...texts) => texts.join(''),
  strcontains: (text, part) => Number(text.includes(part)),
  toMillis: (time) => Date.parse(time),
};
const ROWS = {
  count: (values) => values.length,
  max: (values) => Math.max(...values),
  min: (values) => Math.min(...values),
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
};
const ofRow = (tree, row) => evaluate(tree, { value: (name) => row[name] ?? at(row, name), functions: FUNCTIONS });
const ofRows = (tree, rows) => {
  const aggregates = Object.entries(ROWS).map(([name, aggregate]) => [
    name,
    { whole: ([operand]) => aggregate(operand.symbol === '*' ? rows : rows.map((row) => ofRow(operand, row))) },
  ]);
  const value = (name) => {
    throw new Error(`${name} is of one row`);
  };
  return evaluate(tree, { value, functions: { ...OPERATORS, ...Object.fromEntries(aggregates) } });
};
/** `a(b, c) as d, e as f`, as pairs of a name and a tree. */
const named = (text) => [...text.matchAll(/(.+?) as (\w+)(?:, |$)/g)].map(([, tree, name]) => [name, parse(tree)]);
function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return [...groups.values()];
}

/** The rows that a query returns for events; an event happened at its `time`. */
export function insights(query, events) {
  const [source, ...commands] = query.split(' | ');
  const log = source.match(/^SOURCE '(.+)'$/)[1];
  let rows = events.map((event) => ({ ...event, '@timestamp': event.time }));
  for (const command of commands) {
    const [, verb, text] = command.match(/^(\w+) (.+)$/);
    if (verb === 'fields') {
      const fields = named(text);
      rows = rows.map((row) => ({
        ...row,
        ...Object.fromEntries(fields.map(([name, tree]) => [name, ofRow(tree, row)])),
      }));
    } else if (verb === 'filter') {
      const condition = parse(text);
      rows = rows.filter((row) => ofRow(condition, row));
    } else if (verb === 'stats') {
      const [aggregates, by] = text.split(' by ');
      const groups = grouped(rows, (row) => by && ofRow(parse(by), row));
      rows = groups.map((group) =>
        Object.fromEntries(named(aggregates).map(([name, tree]) => [name, ofRows(tree, group)])),
      );
    } else throw new Error(`${verb} is not known here`);
  }
  return { log, rows };
}

// ---- Metrics -------------------------------------------------------------------------------------

/** Whether a metric filter matches an event. */
export const filters = (pattern, event) => {
  const condition = pattern.match(/^\{ (.+) \}$/)[1];
  return Boolean(evaluate(parse(condition), { value: (name) => at({ $: event }, name), functions: OPERATORS }));
};

const isSeries = Array.isArray;
/** An operator on series and scalars; the result of a missing value is missing. */
const pointwise = (operator) => (one, other) => {
  const length = isSeries(one) ? one.length : other.length;
  if (!isSeries(one) && !isSeries(other)) return operator(one, other);
  const values = [one, other].map((side) => (isSeries(side) ? side : Array(length).fill(side)));
  return values[0].map((value, i) =>
    value === undefined || values[1][i] === undefined ? undefined : operator(value, values[1][i]),
  );
};
const SERIES = {
  ...Object.fromEntries(Object.entries(OPERATORS).map(([symbol, operator]) => [symbol, pointwise(operator)])),
  DIFF: (series) =>
    series.map((value, i) => (i === 0 || series[i - 1] === undefined ? undefined : value - series[i - 1])),
  FILL: (series) => {
    let last;
    return series.map((value) => {
      last = value ?? last;
      return last;
    });
  },
  IF: (condition, yes, no) => condition.map((value) => (value === undefined ? undefined : value ? yes : no)),
  SUM: (series) => series.reduce((sum, value) => sum + (value ?? 0), 0),
  TIME_SERIES: (scalar) => [scalar],
};

/** The results of a widget's expressions for its one metric, whose values are given by period. */
export function metricMath(expressions, metric) {
  const value = (name) => {
    if (name === 'REPEAT') return name;
    if (name in metric) return metric[name];
    if (!(name in expressions)) throw new Error(`${name} is not in this widget`);
    return evaluate(parse(expressions[name]), { value, functions: SERIES });
  };
  return value;
}
