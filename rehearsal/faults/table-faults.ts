import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import { type Fault, notRun } from '../fault.ts';
import type { Sample } from '../load.ts';
import { hasCode } from './task-faults.ts';

/** What a request of a slow table takes longer. */
const delayMs = 300;
const slowForMs = 20_000;

export const slowTable: Fault = {
  says: `DynamoDB takes ${delayMs} ms longer for each request. Calls take longer, and none fails.`,
  async run(stage) {
    const { door } = stage;
    const before = door.touched.delayed;
    door.delayMs = delayMs;
    await sleep(slowForMs);
    door.delayMs = 0;
    const delayed = door.touched.delayed - before;
    stage.journal.say(`${delayed} requests of DynamoDB were delayed`);
    return { problems: notRun(delayed, 'no request of DynamoDB was delayed') };
  },
};

/** The part of the requests that is refused: with three attempts each, one call in a hundred or so fails. */
const throttledPart = 0.2;
/** Far more than the calls that three attempts let fail, some of which make several requests. */
const mostFailedPart = 0.1;
/** Enough minutes for an alarm that wants three of five. */
const throttledMinutes = 9;

export const throttles: Fault = {
  says: 'DynamoDB refuses a fifth of the requests. Attempts are repeated; few calls fail, with UNAVAILABLE; an alarm goes off.',
  async run(stage) {
    const { watch, deployed, door } = stage;
    const before = door.touched.throttled;
    const watching = deployed
      .all('AWS::CloudWatch::Alarm')
      .filter(({ properties }) => JSON.stringify(properties).includes('ThrottleEvents'));
    door.throttledPart = throttledPart;
    const untilMs = performance.now() + throttledMinutes * watch.minuteMs;
    const isFiring = () => watching.some(({ id }) => watch.firing([id]) !== undefined);
    let fired = false;
    while (performance.now() < untilMs && !fired) {
      await sleep(500);
      fired = isFiring();
    }
    door.throttledPart = 0;
    const refused = door.touched.throttled - before;
    stage.journal.say(`${refused} requests of DynamoDB were refused`);
    const problems = notRun(refused, 'no request of DynamoDB was refused');
    if (watching.length > 0 && !fired) problems.push('no alarm on throttles went off');
    if (watching.length === 0) stage.journal.leaveOut('an alarm on throttles: the stack has none');
    const mayFail = (it: Sample) => hasCode(it.error, Code.Unavailable, Code.ResourceExhausted);
    return { problems, mayFail, mostFailedPart };
  },
};
