import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  ChannelCredentials,
  ClientError,
  createChannel,
  createClientFactory,
  Metadata,
  Status,
} from 'nice-grpc';
import { deadlineMiddleware } from 'nice-grpc-client-middleware-deadline';
import { Users } from '../../proto/gen/users_pb.js';
import { uniqueName } from '../e2e/target.ts';
import type { Check, Peer, PeerTarget } from './peer.ts';
import { startServer } from './server.ts';

const { createUser, getUsers } = Users.method;
const service = {
  createUser: { ...definitionOf(createUser), requestStream: false, responseStream: false },
  getUsers: { ...definitionOf(getUsers), requestStream: false, responseStream: true },
} as const;

/** nice-grpc: promises and async iterables over grpc-js, with a deadline that its own middleware keeps. */
export const niceGrpc: Peer = {
  name: 'nice-grpc',
  async run(target, check) {
    await call(target, check, '');
    if (process.env.USERS_ENDPOINT === undefined) {
      await using secured = await startServer(true);
      await call(secured, check, 'TLS: ');
    }
  },
};

async function call(target: PeerTarget, check: Check, prefix: string): Promise<void> {
  const credentials = target.caFile
    ? ChannelCredentials.createSsl(readFileSync(target.caFile))
    : ChannelCredentials.createInsecure();
  const channel = createChannel(`${target.host}:${target.port}`, credentials);
  const client = createClientFactory()
    .use(deadlineMiddleware)
    .create(service, channel, {
      '*': { metadata: Metadata(target.token ? { authorization: `Bearer ${target.token}` } : {}) },
    });
  const metadata = (init: Record<string, string>) =>
    Metadata({ ...init, ...(target.token ? { authorization: `Bearer ${target.token}` } : {}) });
  const username = uniqueName();
  const many = Array(10_000).fill({ username });
  try {
    await check(`${prefix}create a user, with metadata; the request id comes back`, async () => {
      let header = Metadata();
      const onHeader = (it: Metadata) => {
        header = it;
      };
      const sent = metadata({ ip: '127.0.0.1', 'x-request-id': 'peer-1' });
      const { user } = await client.createUser({ username }, { metadata: sent, onHeader });
      assert.equal(user?.username, username);
      assert.equal(header.get('x-request-id'), 'peer-1');
    });
    await check(`${prefix}stream 1,000 users`, async () => {
      const names: unknown[] = [];
      for await (const { result } of client.getUsers({ user: many.slice(0, 1000) })) {
        names.push(result.value?.username);
      }
      assert.deepEqual(names, Array(1000).fill(username));
    });
    await check(`${prefix}a name that is taken: ALREADY_EXISTS with ErrorInfo`, async () => {
      let trailer = Metadata();
      const onTrailer = (it: Metadata) => {
        trailer = it;
      };
      await assert.rejects(client.createUser({ username }, { onTrailer }), {
        name: 'ClientError',
        code: Status.ALREADY_EXISTS,
        details: 'the username is taken',
      });
      const details = trailer.get('grpc-status-details-bin');
      assert.ok(details && Buffer.from(details).includes('USERNAME_TAKEN'));
    });
    await check(`${prefix}a deadline of the middleware: DEADLINE_EXCEEDED`, async () => {
      await assert.rejects(drain(client.getUsers({ user: many }, { deadline: 1 })), {
        code: Status.DEADLINE_EXCEEDED,
      });
    });
    await check(`${prefix}a deadline in grpc-timeout: DEADLINE_EXCEEDED from the server`, async () => {
      const asked = client.getUsers({ user: many }, { metadata: metadata({ 'grpc-timeout': '1n' }) });
      await assert.rejects(drain(asked), (error) => {
        assert.ok(error instanceof ClientError);
        assert.equal(error.code, Status.DEADLINE_EXCEEDED);
        assert.match(error.details, /^the deadline passed/);
        return true;
      });
    });
    await check(`${prefix}abort a stream, then call again`, async () => {
      const abort = new AbortController();
      let received = 0;
      const reading = (async () => {
        for await (const _ of client.getUsers({ user: many }, { signal: abort.signal })) {
          received++;
          abort.abort();
        }
      })();
      await assert.rejects(reading, { name: 'AbortError' });
      assert.ok(received > 0);
      await drain(client.getUsers({ user: [{ username }] }));
    });
  } finally {
    channel.close();
  }
}

async function drain(results: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of results);
}

function definitionOf<M extends DescMethod>({ parent, name, input, output }: M) {
  return {
    path: `/${parent.typeName}/${name}`,
    requestSerialize: (init: MessageInitShape<M['input']>) => toBinary(input, create(input, init)),
    requestDeserialize: (bytes: Uint8Array) => fromBinary(input, bytes) as MessageShape<M['input']>,
    responseSerialize: (init: MessageInitShape<M['output']>) => toBinary(output, create(output, init)),
    responseDeserialize: (bytes: Uint8Array) => fromBinary(output, bytes) as MessageShape<M['output']>,
    options: {},
  };
}
