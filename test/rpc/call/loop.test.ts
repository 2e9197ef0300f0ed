// Proves that no call holds up the event loop, in no protocol: while thousands of users are read and answered, the loop
// turns again and again; large requests take turns, small ones do not wait for them; and a call that ends is not worked
// for any more. The clock is the test's own, and there is no network: what is counted are turns of the loop, not time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, type MessageInitShape, toBinary, toJsonString } from '@bufbuild/protobuf';
import type { HttpResource } from '../../../functions/rpc/http/http-resource.ts';
import { Users } from '../../../proto/gen/users_pb.js';
import {
  type GetUsersRequest,
  GetUsersRequestSchema,
  type GetUsersResultSchema,
} from '../../../proto/gen/users_types_pb.js';
import { frame } from '../../support/frames.ts';
import { MemoryExchange, type Served, serveInMemory } from '../memory-exchange.ts';

const count = 10_000;
const request = create(GetUsersRequestSchema, {
  user: Array.from({ length: count }, () => ({ username: 'alexa' })),
});
const binary = Buffer.from(toBinary(GetUsersRequestSchema, request));
const json = Buffer.from(toJsonString(GetUsersRequestSchema, request));

/** Each look at the clock takes a ms, and a turn of the loop has three: so many looks there may be between two. */
const looksATurn = 4;
/** Reading looks at least once for so many users, and answering once for so many. */
const readUsers = 128;
const answeredUsers = 64;

const protocols = [
  ['gRPC', 'application/grpc', frame(binary), {}],
  ['gRPC with JSON', 'application/grpc+json', frame(json), {}],
  ['gRPC with gzip', 'application/grpc', frame(gzipSync(binary), 1), { 'grpc-encoding': 'gzip' }],
  ['gRPC-Web', 'application/grpc-web+proto', frame(binary), {}],
  ['gRPC-Web with JSON', 'application/grpc-web+json', frame(json), {}],
  ['gRPC-Web as text', 'application/grpc-web-text', Buffer.from(frame(binary).toString('base64')), {}],
  ['Connect', 'application/connect+proto', frame(binary), {}],
  ['Connect with JSON', 'application/connect+json', frame(json), {}],
  [
    'Connect with gzip',
    'application/connect+json',
    frame(gzipSync(json), 1),
    { 'connect-content-encoding': 'gzip' },
  ],
] as const;

/** Counts the turns of the loop until it is told to stop. */
function countTurns() {
  let turns = 0;
  let isDone = false;
  const next = () => {
    turns += 1;
    if (!isDone) setImmediate(next);
  };
  setImmediate(next);
  return {
    get turns() {
      return turns;
    },
    stop() {
      isDone = true;
    },
  };
}

/** Lets the loop turn until the condition holds, however long the machine takes for it. */
async function turnUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function* answer({
  user,
}: GetUsersRequest): AsyncGenerator<MessageInitShape<typeof GetUsersResultSchema>> {
  for (const it of user) yield { result: { case: 'user', value: it } };
}

/** Serves GetUsers, with a clock by which each look takes a ms. */
function serveUsers(onCall: (request: GetUsersRequest) => void, resources: HttpResource[] = []): Served {
  let nowMs = 0;
  return serveInMemory(
    (router) =>
      router.service(Users, {
        getUsers: (it) => {
          onCall(it);
          return answer(it);
        },
      }),
    { now: () => nowMs++, resources },
  );
}

function begin(
  { router }: Served,
  connection: MemoryExchange['connection'],
  type: string,
  headers = {},
): MemoryExchange {
  const exchange = new MemoryExchange(connection, '/Users/GetUsers', { 'content-type': type, ...headers });
  router.accept(exchange);
  return exchange;
}

function send(exchange: MemoryExchange, body: Buffer): void {
  exchange.receiver?.received(body);
  exchange.receiver?.receivedAll();
}

describe('the loop turns', () => {
  for (const [name, type, body, headers] of protocols) {
    it(`while ${count} users are read and answered: ${name}`, async () => {
      let turnsOfReading = 0;
      let isRead = false;
      const probe = countTurns();
      const served = serveUsers((it) => {
        assert.equal(it.user.length, count);
        turnsOfReading = probe.turns;
        isRead = true;
      });
      const exchange = begin(served, served.connect(), type, headers);
      send(exchange, body);
      await turnUntil(() => isRead);
      await turnUntil(() => exchange.isEnded);
      const turnsOfAnswering = probe.turns - turnsOfReading;
      probe.stop();
      assert.deepEqual(served.ended, [{ code: 0, error: undefined }]);
      assert.ok(
        turnsOfReading >= Math.floor(count / readUsers / looksATurn),
        `${turnsOfReading} turns while reading`,
      );
      const least = Math.floor(count / answeredUsers / looksATurn);
      assert.ok(turnsOfAnswering >= least, `${turnsOfAnswering} turns while answering`);
    });
  }

  it('while a resource sends its text, even if that waits for nothing', async () => {
    const resource: HttpResource = {
      paths: ['/text'],
      methods: ['GET'],
      headers: [],
      async answer(_request, response) {
        for (let line = 0; line < count; line++) {
          const pause = response.send('x\n');
          if (pause !== undefined) await pause;
        }
      },
      errorText: ({ rawMessage }) => rawMessage,
    };
    const served = serveUsers(() => {}, [resource]);
    const probe = countTurns();
    const exchange = new MemoryExchange(served.connect(), '/text', {}, 'GET');
    served.router.accept(exchange);
    await turnUntil(() => exchange.isEnded);
    probe.stop();
    assert.equal(Buffer.concat(exchange.sent).length, 2 * count);
    assert.ok(probe.turns >= Math.floor(count / answeredUsers / looksATurn), `${probe.turns} turns`);
  });
});

describe('large requests', () => {
  // What is compressed is inflated by other threads, so nobody can say in which turn its reading begins.
  for (const [name, type, body, headers] of protocols.filter(([it]) => !it.endsWith('gzip'))) {
    it(`at once take turns, and a small one does not wait for them: ${name}`, async () => {
      const calls: [users: number, turn: number][] = [];
      const probe = countTurns();
      const served = serveUsers(({ user }) => calls.push([user.length, probe.turns]));
      const larges = Array.from({ length: 6 }, () => begin(served, served.connect(), type, headers));
      for (const exchange of larges) send(exchange, body);
      send(
        begin(served, served.connect(), 'application/grpc'),
        frame(toBinary(GetUsersRequestSchema, create(GetUsersRequestSchema))),
      );
      assert.deepEqual(calls, [[0, 0]], 'the small one waits');
      await turnUntil(() => calls.length === 1 + larges.length);
      probe.stop();
      const ends = calls.slice(1).map(([, turn]) => turn);
      // One after the other, the first would be read after a sixth of the time.
      assert.ok(Math.min(...ends) > Math.max(...ends) / 2, `read at turn ${ends}`);
      await turnUntil(() => served.ended.length === 1 + larges.length);
    });
  }

  it('whose call has ended are not read any further, and hold nothing', async () => {
    for (const [name, type, body, headers] of protocols) {
      let looks = 0;
      let calls = 0;
      const served = serveInMemory(
        (router) =>
          router.service(Users, {
            getUsers: (it) => {
              calls += 1;
              return answer(it);
            },
          }),
        { now: () => looks++ },
      );
      const exchanges = Array.from({ length: 4 }, () => begin(served, served.connect(), type, headers));
      for (const exchange of exchanges) send(exchange, body);
      await turnUntil(() => looks > 12);
      for (const exchange of exchanges) exchange.receiver?.closed();
      const looksAtTheEnd = looks;
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(calls, 0, name);
      // Each has its last turn, in which it learns of it.
      assert.ok(
        looks - looksAtTheEnd <= 2 * exchanges.length,
        `${name}: ${looks - looksAtTheEnd} looks after the end`,
      );
      // What is still being inflated is held until that is done.
      await turnUntil(() => served.policy.memory.heldBytes === 0);
      assert.equal(calls, 0, name);
    }
  });
});
