// Proves that metric math is calculated as CloudWatch does: precedence, missing data points, FILL, IF, and functions
// over several series; and that what a rehearsal has not is refused, not guessed.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { calculate, type Series } from '../../rehearsal/metric-math.ts';

const series = new Map<string, Series>([
  ['a', [1, 2, undefined, 4]],
  ['b', [10, undefined, undefined, 0]],
]);
const math = (expression: string) => calculate(expression, series, 60);

const cases: Readonly<Record<string, Series>> = {
  'a + b': [11, undefined, undefined, 4],
  'FILL(a, 0) + FILL(b, 0)': [11, 2, 0, 4],
  'FILL(a, REPEAT)': [1, 2, 2, 4],
  'FILL(a, b)': [1, 2, undefined, 4],
  '1 + 2 * 3 - 4 / 2': [5, 5, 5, 5],
  '-(a - 3) * 2': [4, 2, undefined, -2],
  '2 ^ 3 + a': [9, 10, undefined, 12],
  'a / b': [0.1, undefined, undefined, undefined],
  'IF(a > 1, a, 0)': [0, 2, undefined, 4],
  'IF(a > 1, a)': [undefined, 2, undefined, 4],
  'a > 1 AND b < 5': [0, undefined, undefined, 1],
  'MAX([a, b])': [10, 2, undefined, 4],
  'SUM(METRICS())': [11, 2, undefined, 4],
  'AVG([FILL(a, 0), 3])': [2, 2.5, 1.5, 3.5],
  'MIN(a)': [1, 1, 1, 1],
  '100 * (a / PERIOD(a))': [100 / 60, 200 / 60, undefined, 400 / 60],
};
for (const [expression, expected] of Object.entries(cases)) {
  it(expression, () => {
    const found = math(expression).map((value) => value && Math.round(value * 1e9) / 1e9);
    assert.deepEqual(
      found,
      expected.map((value) => value && Math.round(value * 1e9) / 1e9),
    );
  });
}

it('refuses what it has not', () => {
  assert.throws(() => math('ANOMALY_DETECTION_BAND(a)'), /no metric math function ANOMALY/);
  assert.throws(() => math('c + 1'), /names c, which is no metric/);
  assert.throws(() => math('a +'), /ends too early/);
  assert.throws(() => math('a b'), /ends before b/);
  assert.throws(() => math('a ? 1'), /has not/);
});

it('FILL leaves no data point missing, and no other one changed', () => {
  const point = fc.option(fc.integer(), { nil: undefined });
  fc.assert(
    fc.property(fc.array(point, { minLength: 1 }), fc.nat(), (points, filling) => {
      const filled = calculate(`FILL(x, ${filling})`, new Map([['x', points]]), 60);
      assert.deepEqual(
        filled,
        points.map((it) => it ?? filling),
      );
    }),
  );
});
