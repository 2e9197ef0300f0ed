import { setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@connectrpc/connect';
import type { Fault } from '../fault.ts';
import { hasCode } from './task-faults.ts';

/** What a request of a slow table takes longer. */
const delayMs = 300;
const slowForMs = 20_000;

export const slowTable: Fault = {
  says: `DynamoDB takes ${delayMs} ms longer for each request. Calls take longer, and none fails.`,
  async run(stage) {
    stage.door.delayMs = delayMs;
    await sleep(slowForMs);
    stage.door.delayMs = 0;
    return { problems: [] };
  },
};

/** The part of the requests that is refused: with three attempts each, one call in a hundred or so fails. */
const throttledPart = 0.2;
/** Enough minutes for an alarm that wants three of five. */
const throttledMinutes = 9;

export const throttles: Fault = {
  says: 'DynamoDB refuses a fifth of the requests. Attempts are repeated; few calls fail, with UNAVAILABLE; an alarm goes off.',
  async run(stage) {
    const { watch, deployed } = stage;
    const watching = deployed
      .all('AWS::CloudWatch::Alarm')
      .filter(({ properties }) => JSON.stringify(properties).includes('ThrottleEvents'));
    stage.door.throttledPart = throttledPart;
    const untilMs = performance.now() + throttledMinutes * watch.minuteMs;
    const isFiring = () => watching.some(({ id }) => watch.firing([id]) !== undefined);
    let fired = false;
    while (performance.now() < untilMs && !fired) {
      await sleep(500);
      fired = isFiring();
    }
    stage.door.throttledPart = 0;
    const problems = watching.length > 0 && !fired ? ['no alarm on throttles went off'] : [];
    if (watching.length === 0) stage.journal.leaveOut('an alarm on throttles: the stack has none');
    return { problems, mayFail: (it) => hasCode(it.error, Code.Unavailable, Code.ResourceExhausted) };
  },
};
