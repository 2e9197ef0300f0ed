import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { CallQueries } from './call-queries.ts';

/** What is watched, and who hears of it. */
export interface CallAlarmsProps {
  readonly queries: CallQueries;
  /** @default alarms show in CloudWatch and on the dashboard only */
  readonly action?: cloudwatch.IAlarmAction;
}

/** What an alarm goes off at: any series that the query returns, for so many minutes. */
interface Condition {
  readonly query: string;
  readonly minutes: number;
  /** For whom it wakes: what it means, and what to look at first. */
  readonly description: string;
}

/** Refusals that say that the service can't, whoever asks. All others say something of a caller. */
export const refusalsOfNeed: readonly string[] = [
  'MEMORY_EXHAUSTED',
  'OVERLOADED',
  'HASHING_OVERLOADED',
  'STORE_UNAVAILABLE',
  'ISSUER_UNAVAILABLE',
];

/** What needs a person and only the service's own metrics tell. Each alarm says what it means and where to look. */
export class CallAlarms extends Construct {
  /** Every alarm, for the dashboard. */
  readonly all: cloudwatch.IAlarm[] = [];

  readonly #action?: cloudwatch.IAlarmAction;

  constructor(scope: Construct, id: string, { queries, action }: CallAlarmsProps) {
    super(scope, id);
    this.#action = action;
    this.#alarm('SlowMethod', {
      query: `${queries.duration(0.99)} > 1`,
      minutes: 15,
      description:
        'One call in a hundred of a method takes over a second. See "What is slow?" in docs/watching.md.',
    });
    this.#alarm('MissedDeadlines', {
      query: `${queries.missedDeadlines} > 0.1 and ${queries.missedDeadlineRate} > 0.05`,
      minutes: 15,
      description:
        'One call in ten misses the deadline that its client gave it. See "Is a deadline too short?" in docs/watching.md.',
    });
    this.#alarm('RefusedForNeed', {
      query: `${queries.refusals(refusalsOfNeed)} > 0.1`,
      minutes: 5,
      description:
        'Calls are refused since memory, hashing, the store or the issuer is short. See "Who is refused, and why?" in docs/watching.md.',
    });
    this.#alarm('SlowStore', {
      query: `${queries.storeDuration(0.99)} > 0.5`,
      minutes: 15,
      description:
        'One operation of the store in a hundred takes over half a second. See "Is it the store?" in docs/watching.md.',
    });
    this.#alarm('BusyEventLoop', {
      query: `${queries.most('nodejs.eventloop.delay.p99')} > 0.1`,
      minutes: 5,
      description:
        'A task does something for over 100 ms, and all its calls wait. See "Is it the event loop?" in docs/watching.md.',
    });
    this.#alarm('FullHeap', {
      query: `${queries.heap} > 0.9`,
      minutes: 10,
      description:
        'The heap of a task is almost full: it will end. See "Do we leak, or near a limit?" in docs/watching.md.',
    });
    this.#alarm('NotReady', {
      query: `${queries.ready} < 1`,
      // A task that drains is not ready either, for two minutes at most, and PromQL looks for the last figure of a
      // series up to five minutes back, when the task is gone.
      minutes: 10,
      description:
        'A task can not do its work, and says so. See "Is a task out of service?" in docs/watching.md.',
    });
  }

  #alarm(id: string, { query, minutes, description }: Condition): void {
    const alarm = new cloudwatch.PromQLAlarm(this, id, {
      query,
      evaluationInterval: Duration.minutes(1),
      pendingPeriod: Duration.minutes(minutes),
      recoveryPeriod: Duration.minutes(5),
      alarmDescription: description,
    });
    if (this.#action) {
      alarm.addAlarmAction(this.#action);
      alarm.addOkAction(this.#action);
    }
    this.all.push(alarm);
  }
}
