import type { Point } from './alarm.ts';

/** Data points, oldest first, or one number for all of them. */
export type Series = readonly Point[];
type Value = Series | number | readonly Series[];

/** A part of an expression that has been read. */
type Node = (scope: Scope) => Value;

interface Scope {
  readonly series: ReadonlyMap<string, Series>;
  readonly length: number;
  readonly periodSeconds: number;
}

const token = /\s*(\d+(?:\.\d+)?|[A-Za-z_]\w*|<=|>=|==|!=|&&|\|\||[-+*/^()[\],<>])/y;

/**
 * Calculates a metric math expression of CloudWatch. Where a data point is missing, so is the result, unless FILL or IF
 * gives one.
 *
 * @param series those that the expression may name, all of the same length
 * @throws Error for syntax and functions that a rehearsal has not
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */
export function calculate(
  expression: string,
  series: ReadonlyMap<string, Series>,
  periodSeconds: number,
): Series {
  const [first] = series.values();
  const length = first?.length ?? 0;
  const value = new Parser(expression).parse()({ series, length, periodSeconds });
  if (typeof value === 'number') return Array.from({ length }, () => value);
  if (isList(value)) throw new Error(`${expression} is several series`);
  return value;
}

/** Reads an expression by descent: comparisons bind least, then sums, then products, then powers. */
class Parser {
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(expression: string) {
    token.lastIndex = 0;
    const end = expression.trimEnd().length;
    while (token.lastIndex < end) {
      const [, found] = token.exec(expression) ?? [];
      if (found === undefined) throw new Error(`metric math that a rehearsal has not: ${expression}`);
      this.#tokens.push(found);
    }
  }

  parse(): Node {
    const node = this.#logic();
    if (this.#at < this.#tokens.length) throw new Error(`metric math ends before ${this.#tokens[this.#at]}`);
    return node;
  }

  #take(...wanted: readonly string[]): string | undefined {
    const next = this.#tokens[this.#at]?.toUpperCase() ?? '';
    if (!wanted.includes(next)) return undefined;
    this.#at++;
    return next;
  }

  #need(wanted: string): void {
    if (!this.#take(wanted))
      throw new Error(`metric math: ${wanted} was expected, not ${this.#tokens[this.#at]}`);
  }

  #chain(part: () => Node, ...operators: readonly string[]): Node {
    let left = part();
    for (let operator = this.#take(...operators); operator; operator = this.#take(...operators)) {
      const [before, after, calculateOne] = [left, part(), operations[operator]];
      left = (scope) => pairwise(before(scope), after(scope), calculateOne);
    }
    return left;
  }

  #logic = (): Node => this.#chain(this.#comparison, 'AND', 'OR', '&&', '||');
  #comparison = (): Node => this.#chain(this.#sum, '<', '>', '<=', '>=', '==', '!=');
  #sum = (): Node => this.#chain(this.#product, '+', '-');
  #product = (): Node => this.#chain(this.#power, '*', '/');
  #power = (): Node => this.#chain(this.#single, '^');

  #single = (): Node => {
    if (this.#take('-')) {
      const negated = this.#single();
      return (scope) => pairwise(0, negated(scope), operations['-']);
    }
    if (this.#take('(')) {
      const inner = this.#logic();
      this.#need(')');
      return inner;
    }
    if (this.#take('[')) {
      const parts = this.#list(']');
      return (scope) => parts.map((it) => asSeries(it(scope), scope.length));
    }
    const name = this.#tokens[this.#at++];
    if (name === undefined) throw new Error('metric math ends too early');
    if (/^\d/.test(name)) return () => Number(name);
    if (this.#take('(')) return call(name.toUpperCase(), this.#list(')'));
    if (name.toUpperCase() === 'REPEAT') return () => Number.NaN;
    return ({ series }) => {
      const found = series.get(name);
      if (!found) throw new Error(`metric math names ${name}, which is no metric of the alarm`);
      return found;
    };
  };

  #list(end: string): Node[] {
    const parts: Node[] = [];
    if (this.#take(end)) return parts;
    do parts.push(this.#logic());
    while (this.#take(','));
    this.#need(end);
    return parts;
  }
}

const flag = (is: boolean) => (is ? 1 : 0);
const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '^': (a, b) => a ** b,
  '<': (a, b) => flag(a < b),
  '>': (a, b) => flag(a > b),
  '<=': (a, b) => flag(a <= b),
  '>=': (a, b) => flag(a >= b),
  '==': (a, b) => flag(a === b),
  '!=': (a, b) => flag(a !== b),
  AND: (a, b) => flag(a !== 0 && b !== 0),
  OR: (a, b) => flag(a !== 0 || b !== 0),
  '&&': (a, b) => flag(a !== 0 && b !== 0),
  '||': (a, b) => flag(a !== 0 || b !== 0),
};

const isList = (value: Value): value is readonly Series[] =>
  typeof value !== 'number' && Array.isArray(value[0]);

function asSeries(value: Value, length: number): Series {
  if (typeof value === 'number') return Array.from({ length }, () => value);
  if (isList(value)) throw new Error('metric math: several series where one is wanted');
  return value;
}

/** A division by zero gives no data point. */
const real = (value: number): Point => (Number.isFinite(value) ? value : undefined);

function pairwise(a: Value, b: Value, operation: ((a: number, b: number) => number) | undefined): Value {
  if (!operation) throw new Error('metric math: an operator that a rehearsal has not');
  if (typeof a === 'number' && typeof b === 'number') return operation(a, b);
  const length = typeof a === 'number' ? (typeof b === 'number' ? 0 : b.length) : a.length;
  const [left, right] = [asSeries(a, length), asSeries(b, length)];
  return left.map((value, index) => {
    const other = right[index];
    return value === undefined || other === undefined ? undefined : real(operation(value, other));
  });
}

const folds: Readonly<Record<string, (values: readonly number[]) => number>> = {
  MAX: (values) => Math.max(...values),
  MIN: (values) => Math.min(...values),
  SUM: (values) => values.reduce((sum, it) => sum + it, 0),
  AVG: (values) => values.reduce((sum, it) => sum + it, 0) / values.length,
};
const singles: Readonly<Record<string, (value: number) => number>> = {
  ABS: Math.abs,
  CEIL: Math.ceil,
  FLOOR: Math.floor,
};

function call(name: string, parts: readonly Node[]): Node {
  return (scope) => {
    const [first = 0, second = 0, third] = parts.map((it) => it(scope));
    const { length, periodSeconds } = scope;
    if (name === 'METRICS') return [...scope.series.values()];
    if (name === 'PERIOD') return periodSeconds;
    if (name === 'FILL') return fill(asSeries(first, length), second, length);
    if (name === 'IF') {
      const [is, then] = [asSeries(first, length), asSeries(second, length)];
      const otherwise = third === undefined ? undefined : asSeries(third, length);
      return is.map((it, index) =>
        it === undefined ? undefined : it !== 0 ? then[index] : otherwise?.[index],
      );
    }
    const fold = folds[name];
    if (fold && isList(first)) {
      return Array.from({ length }, (_, index) => {
        const values = first.map((it) => it[index]).filter((it) => it !== undefined);
        return values.length > 0 ? fold(values) : undefined;
      });
    }
    if (fold) {
      const values = asSeries(first, length).filter((it) => it !== undefined);
      return values.length > 0 ? fold(values) : Array.from({ length }, () => undefined);
    }
    const single = singles[name];
    if (!single) throw new Error(`a rehearsal has no metric math function ${name}`);
    return asSeries(first, length).map((it) => (it === undefined ? undefined : real(single(it))));
  };
}

/** FILL: missing data points are a number, those of another series, or (REPEAT) the one before. */
function fill(series: Series, filling: Value, length: number): Series {
  const isRepeat = typeof filling === 'number' && Number.isNaN(filling);
  const fillings = asSeries(filling, length);
  let last: Point;
  return series.map((it, index) => {
    if (it !== undefined) last = it;
    return it ?? (isRepeat ? last : fillings[index]);
  });
}
