// What the page in the browser does. It is bundled, and served from another origin than the service has.
import type { DescService } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { Health, HealthCheckResponse_ServingStatus } from '../../proto/gen/health/v1/health_pb.js';
import { Users } from '../../proto/gen/users_pb.js';

/** The page's clients: connect-web's transports. */
const transports: Record<string, (baseUrl: string) => Transport> = {
  'Connect JSON': (baseUrl) => createConnectTransport({ baseUrl }),
  'Connect binary': (baseUrl) => createConnectTransport({ baseUrl, useBinaryFormat: true }),
  'gRPC-Web': (baseUrl) => createGrpcWebTransport({ baseUrl }),
};

/**
 * Calls the service over each transport, and by fetch alone. Returns a line for each check, as `relayChecks` takes it.
 *
 * @param run makes names that nobody has
 */
export async function callFromPage(endpoint: string, run: string): Promise<string> {
  const lines: string[] = [];
  const check = async (name: string, work: () => Promise<void>) => {
    try {
      await work();
      lines.push(`ok\t${name}`);
    } catch (error) {
      lines.push(`not ok\t${name}\t${String(error).replaceAll(/\s+/g, ' ')}`);
    }
  };
  let count = 0;
  for (const [name, open] of Object.entries(transports)) {
    const transport = open(endpoint);
    const client = <S extends DescService>(service: S) => createClient(service, transport);
    await callAll(`${name}: `, client(Users), client(Health), `${run}-${count++}`, check);
  }
  await check('fetch: stream users as lines of JSON', async () => {
    const answer = await fetch(`${endpoint}/users/?username=${run}-0&username=${run}-nobody`);
    const found = (await answer.text()).trimEnd().split('\n');
    equal(found.map((it) => Object.keys(JSON.parse(it))).join(), 'user,missing');
    equal(answer.headers.has('x-request-id'), true);
  });
  await check('fetch: a page may read that something is not there', async () => {
    equal((await fetch(`${endpoint}/nothing`)).status, 404);
  });
  return [...lines, 'end\n'].join('\n');
}

/** How a call ends of a page that the service does not let in. */
export async function callUninvited(endpoint: string): Promise<string> {
  const users = createClient(Users, createConnectTransport({ baseUrl: endpoint }));
  return (await failure(users.createUser({ username: 'uninvited' }))).message;
}

async function callAll(
  prefix: string,
  users: Client<typeof Users>,
  health: Client<typeof Health>,
  username: string,
  check: (name: string, work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const user = Array(10_000).fill({ username });
  await check(`${prefix}create a user, with metadata; the page sees the request id`, async () => {
    let id: string | null = null;
    const { user: created } = await users.createUser(
      { username },
      {
        headers: { ip: '127.0.0.1', 'x-request-id': 'peer-1' },
        onHeader(headers) {
          id = headers.get('x-request-id');
        },
      },
    );
    equal(created?.username, username);
    equal(id, 'peer-1');
  });
  await check(`${prefix}stream 1,000 users`, async () => {
    let received = 0;
    for await (const { result } of users.getUsers({ user: user.slice(0, 1000) })) {
      if (result.value?.username === username) received++;
    }
    equal(received, 1000);
  });
  await check(`${prefix}a message arrives while its stream stays open`, async () => {
    const leave = new AbortController();
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const { status } of health.watch({ service: 'Users' }, { signal: leave.signal })) {
        seen.push(status);
        leave.abort();
      }
    })();
    equal((await failure(watching)).code, Code.Canceled);
    equal(seen.join(), String(HealthCheckResponse_ServingStatus.SERVING));
  });
  await check(`${prefix}leave a stream, then call again`, async () => {
    for await (const _ of users.getUsers({ user })) break;
    equal((await collect(users.getUsers({ user: [{ username }] }))).length, 1);
  });
  await check(`${prefix}a name that is taken: ALREADY_EXISTS with ErrorInfo`, async () => {
    const error = await failure(users.createUser({ username }));
    equal(error.code, Code.AlreadyExists);
    equal(error.findDetails(ErrorInfoSchema)[0]?.reason, 'USERNAME_TAKEN');
    equal(error.metadata.has('x-request-id'), true);
  });
  await check(`${prefix}bad input: INVALID_ARGUMENT with every violation in BadRequest`, async () => {
    const error = await failure(users.createUser({ username: '-', email: 'nowhere' }));
    equal(error.code, Code.InvalidArgument);
    const fields = error.findDetails(BadRequestSchema).flatMap((it) => it.fieldViolations);
    equal(
      fields
        .map((it) => it.field)
        .sort()
        .join(),
      'email,username',
    );
  });
  await check(`${prefix}a deadline: DEADLINE_EXCEEDED`, async () => {
    const late = collect(users.getUsers({ user }, { timeoutMs: 1 }));
    equal((await failure(late)).code, Code.DeadlineExceeded);
  });
  await check(`${prefix}a deadline that the server alone keeps: DEADLINE_EXCEEDED`, async () => {
    const headers = { 'connect-timeout-ms': '0', 'grpc-timeout': '1n' };
    const error = await failure(collect(users.getUsers({ user }, { headers })));
    equal(error.code, Code.DeadlineExceeded);
    equal(error.rawMessage.startsWith('the deadline passed'), true);
  });
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const messages: T[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

async function failure(work: Promise<unknown>): Promise<ConnectError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${actual} instead of ${expected}`);
}
