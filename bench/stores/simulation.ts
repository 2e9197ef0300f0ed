import { hash } from 'node:crypto';
import { limits } from '../../functions/limits.ts';
import { StoreError, type UserStore } from '../../functions/users/store.ts';
import { openDynamoStore } from '../../functions/users/stores/dynamodb.ts';
import { newTable, partition } from '../../infra/capacity-model.ts';
import { signUpWriteUnits } from '../../infra/prices.ts';
import { defaultBounds } from '../../infra/worst-bill.ts';
import { openDouble } from './double/server.ts';

/** What a part of the model says, and what was seen. */
export interface Outcome {
  readonly what: string;
  /** A second, of DynamoDB's real size. */
  readonly predicted: number;
  readonly seen: number;
  /** Whether the prediction is the least that is seen. Default: it is what is seen. */
  readonly isLeast?: boolean;
}

/** How much is simulated. */
export interface Size {
  /** Stores, each with connections of its own. */
  readonly tasks: number;
  /** Of the table's own time. */
  readonly seconds: number;
  /** Partitions are so many times smaller than DynamoDB's, and calls as much fewer. */
  readonly scale: number;
}

/** What `npm run bench -- capacity` simulates. */
export const simulatedSize: Size = { tasks: 4, seconds: 5, scale: 10 };

/** Calls that come, so many a second, to all tasks in turns. */
interface Flow {
  readonly perSecond: number;
  readonly call: (store: UserStore) => Promise<unknown>;
}

/** What became of them, a second. */
interface Seen {
  /** Of each flow, those that succeeded. */
  readonly succeeded: readonly number[];
  readonly readUnits: number;
}

/** How often calls come: those of each step meet at the table. */
const stepMs = 100;
/**
 * A sign-up takes of four partitions, or of none of them, so some keep what they have saved for longer: in so many
 * times the seconds it no longer counts.
 */
const burstTimes = 4;
/** What partitions have saved is used up in the first second, which does not count. */
const savedSeconds = 1;

/**
 * Lets many tasks meet the limits of one table's partitions, and compares what they get with what
 * `infra/capacity-model.ts` says. The table is the double, and its time goes on by steps, so that the outcome does not
 * depend on how fast the machine is. Nothing is tried again: a call that is throttled counts as refused.
 */
export async function simulate(size: Size): Promise<Outcome[]> {
  const { partitions } = newTable;
  const { readUnits, writeUnits } = partition;
  const tableReads = partitions * readUnits;
  const newTableSignUps = (partitions * writeUnits) / signUpWriteUnits;
  // Twice what there is, so that the limit shows.
  const longer = { ...size, seconds: burstTimes * size.seconds };
  const burst = await run(longer, partitions, [signUps(2 * newTableSignUps, initials)]);
  const alike = await run(size, 4 * partitions, [signUps(2 * writeUnits, ['a'])]);
  const hot = await run(size, partitions, [lookUps(2 * readUnits, 1)]);
  const unmetered = await run(size, partitions, [scan(2 * tableReads)]);
  const quota = defaultBounds.tokensPerSecond * size.tasks;
  const metered = await run(size, partitions, [lookUps(tableReads / 2, 100_000), scan(quota)]);
  return [
    { what: 'a burst on a new table: sign-ups', predicted: newTableSignUps, seen: burst.succeeded[0] ?? 0 },
    {
      what: 'a burst of names that begin alike, on a table four times as large: sign-ups',
      predicted: writeUnits,
      seen: alike.succeeded[0] ?? 0,
    },
    {
      what: 'everybody asks for one name: answers',
      predicted: readUnits,
      seen: hot.succeeded[0] ?? 0,
      isLeast: true,
    },
    { what: 'a scan of ids without a quota: read units', predicted: tableReads, seen: unmetered.readUnits },
    {
      what: `beside a scan within its quota of ${quota} ids: answers to others, who take half of a new table`,
      predicted: tableReads / 2,
      seen: metered.succeeded[0] ?? 0,
    },
  ];
}

const initials = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const never = new AbortController().signal;
let userIds = 0;

/** Sign-ups with an address and a request id, whose names begin with each of these in turns. */
function signUps(perSecond: number, begin: readonly string[]): Flow {
  return {
    perSecond,
    async call(store) {
      userIds += 1;
      // The same in each run, and in partitions that nobody has chosen.
      const id = hash('sha256', String(userIds));
      const username = `${begin[userIds % begin.length]}${id}`;
      const request = { id, fingerprint: 'f', expiresAtMs: Date.now() + 60_000 };
      const email = `${username}@example.com`;
      await store.signUp({ username, userId: userIds, email, createdAtMs: 0, request }, never);
    },
  };
}

/** Look-ups of one user, by so many names in turns. */
function lookUps(perSecond: number, names: number): Flow {
  let count = 0;
  return {
    perSecond,
    async call(store) {
      count += 1;
      await store.find([{ username: `user${count % names}`, userId: 0 }], never);
    },
  };
}

const idsPerScan = 100;

/** One after the other so many ids a second, a hundred in a call. */
function scan(ids: number): Flow {
  let count = 0;
  return {
    perSecond: ids / idsPerScan,
    async call(store) {
      count += idsPerScan;
      await store.find(
        Array.from({ length: idsPerScan }, (_, at) => ({ username: '', userId: count - at })),
        never,
      );
    },
  };
}

async function run(
  { tasks, seconds, scale }: Size,
  partitions: number,
  flows: readonly Flow[],
): Promise<Seen> {
  // The SDK wants some.
  process.env.AWS_ACCESS_KEY_ID ??= 'simulation';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'simulation';
  process.env.AWS_REGION ??= 'us-east-1';
  let nowMs = 0;
  const table = await openDouble(['users'], 0, () => nowMs);
  const once = { ...limits, dynamoMaxAttempts: 1, dynamoMaxTries: 1 };
  const stores: UserStore[] = [];
  try {
    for (let task = 0; task < tasks; task += 1)
      stores.push(await openDynamoStore({ table: 'users', endpoint: table.url, limits: once }));
    table.set({
      partitions,
      partitionReadUnits: partition.readUnits / scale,
      partitionWriteUnits: partition.writeUnits / scale,
      burstSeconds: savedSeconds,
    });
    const succeeded = flows.map(() => 0);
    let begun = 0;
    let unitsBefore = 0;
    const stepsPerSecond = 1000 / stepMs;
    for (let step = 0; step < (savedSeconds + seconds) * stepsPerSecond; step += 1) {
      const counts = step >= savedSeconds * stepsPerSecond;
      if (step === savedSeconds * stepsPerSecond) unitsBefore = table.counts().readUnits;
      nowMs += stepMs;
      const calls = callsOf(flows, step, scale * stepsPerSecond).map(async ({ call, place }) => {
        begun += 1;
        const store = stores[begun % tasks];
        if (store === undefined || !(await isServed(call(store)))) return;
        if (counts) succeeded[place] = (succeeded[place] ?? 0) + 1;
      });
      await Promise.all(calls);
    }
    const perSecond = (count: number) => (count * scale) / seconds;
    return {
      succeeded: succeeded.map(perSecond),
      readUnits: perSecond(table.counts().readUnits - unitsBefore),
    };
  } finally {
    for (const store of stores) await store.close();
    await table.close();
  }
}

/** The calls of a step, those of each flow as far apart as they can be. */
function callsOf(flows: readonly Flow[], step: number, slower: number) {
  return flows
    .flatMap(({ perSecond, call }, place) => {
      const count = Math.floor((perSecond / slower) * (step + 1)) - Math.floor((perSecond / slower) * step);
      return Array.from({ length: count }, (_, at) => ({ call, place, at: (at + 0.5) / count }));
    })
    .sort((a, b) => a.at - b.at);
}

/** False if it was throttled. */
async function isServed(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.isOverload) return false;
    throw error;
  }
}
