// Proves that alarms of a rehearsal are evaluated as CloudWatch evaluates them: M of N data points, and missing ones as
// its documentation tabulates them
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AlarmRule, type AlarmState, evaluate, type Point, ruleOf } from '../../rehearsal/alarm.ts';

/** `0` is within the threshold, `X` beyond it, `-` missing. */
function points(text: string): Point[] {
  return text.split(' ').map((it) => ({ '0': 0, X: 9, '-': undefined })[it]);
}

const rule = (datapointsToAlarm: number, missing: AlarmRule['missing']): AlarmRule => ({
  comparison: 'GreaterThanThreshold',
  threshold: 5,
  evaluationPeriods: 3,
  datapointsToAlarm,
  missing,
});
const treatments = ['missing', 'ignore', 'breaching', 'notBreaching'] as const;

/** What comes of the data points with each way to treat missing ones; `retain` is the state of before. */
const tables: readonly (readonly [
  m: number,
  rows: Readonly<Record<string, readonly (AlarmState | 'retain')[]>>,
])[] = [
  [
    3,
    {
      '0 - X - X': ['OK', 'OK', 'OK', 'OK'],
      '0 - - - -': ['OK', 'OK', 'OK', 'OK'],
      '- - - - -': ['INSUFFICIENT_DATA', 'retain', 'ALARM', 'OK'],
      '0 X X - X': ['ALARM', 'ALARM', 'ALARM', 'ALARM'],
      '- - X - -': ['ALARM', 'retain', 'ALARM', 'OK'],
    },
  ],
  [
    2,
    {
      '0 - X - X': ['ALARM', 'ALARM', 'ALARM', 'ALARM'],
      '0 0 X 0 X': ['ALARM', 'ALARM', 'ALARM', 'ALARM'],
      '0 - X - -': ['OK', 'OK', 'ALARM', 'OK'],
      '- - - - 0': ['OK', 'OK', 'ALARM', 'OK'],
      '- - - - X': ['ALARM', 'retain', 'ALARM', 'OK'],
    },
  ],
];

for (const [m, rows] of tables) {
  describe(`${m} of 3`, () => {
    for (const [text, expected] of Object.entries(rows)) {
      for (const [index, missing] of treatments.entries()) {
        it(`${text}, missing ones are ${missing}`, () => {
          for (const before of ['OK', 'ALARM'] as const) {
            const wanted = expected[index] === 'retain' ? before : expected[index];
            assert.equal(evaluate(rule(m, missing), points(text), before), wanted);
          }
        });
      }
    }
  });
}

it('takes the latest data points, and no more of them than it has periods', () => {
  assert.equal(evaluate(rule(2, 'notBreaching'), points('X X 0 0 0'), 'ALARM'), 'OK');
});

it('compares in every direction', () => {
  const at = (comparison: string, value: number) =>
    evaluate({ ...rule(1, 'missing'), comparison, evaluationPeriods: 1 }, [value], 'OK');
  assert.equal(at('GreaterThanThreshold', 5), 'OK');
  assert.equal(at('GreaterThanOrEqualToThreshold', 5), 'ALARM');
  assert.equal(at('LessThanThreshold', 4), 'ALARM');
  assert.equal(at('LessThanOrEqualToThreshold', 5), 'ALARM');
  assert.throws(() => at('GreaterThanUpperThreshold', 5), /no comparison/);
});

it('reads a template: N of N unless it says M, and DynamoDB ignores missing data', () => {
  const alarm = { EvaluationPeriods: '3', Threshold: 5, ComparisonOperator: 'GreaterThanThreshold' };
  assert.deepEqual(ruleOf(alarm), rule(3, 'missing'));
  assert.equal(
    ruleOf({ ...alarm, Namespace: 'AWS/DynamoDB', TreatMissingData: 'breaching' }).missing,
    'ignore',
  );
  assert.equal(ruleOf({ ...alarm, DatapointsToAlarm: 2 }).datapointsToAlarm, 2);
});
