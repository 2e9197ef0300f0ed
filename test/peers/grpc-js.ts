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
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import grpc from '@grpc/grpc-js';
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { Users } from '../../proto/gen/users_pb.js';
import { uniqueName } from '../e2e/target.ts';
import type { Peer } from './peer.ts';

/** grpc-js, gRPC's own client for Node. */
export const grpcJs: Peer = {
  name: 'grpc-js',
  async run(target, check) {
    const { createUser, getUsers } = Users.method;
    const credentials = target.caFile
      ? grpc.credentials.createSsl(readFileSync(target.caFile))
      : grpc.credentials.createInsecure();
    const client = new grpc.Client(`${target.host}:${target.port}`, credentials);
    const username = uniqueName();
    const metadataOf = (init: Record<string, string | Buffer | string[]> = {}) => {
      const metadata = new grpc.Metadata();
      if (target.token) metadata.set('authorization', `Bearer ${target.token}`);
      for (const [key, value] of Object.entries(init)) {
        for (const one of Array.isArray(value) ? value : [value]) metadata.add(key, one);
      }
      return metadata;
    };
    const unary = <M extends DescMethod>(
      method: M,
      request: MessageInitShape<M['input']>,
      metadata = metadataOf(),
      options: grpc.CallOptions = {},
    ) =>
      new Promise<{ response: MessageShape<M['output']>; headers: grpc.Metadata }>((resolve, reject) => {
        let headers = new grpc.Metadata();
        client
          .makeUnaryRequest(
            pathOf(method),
            (message: MessageInitShape<M['input']>) =>
              Buffer.from(toBinary(method.input, create(method.input, message))),
            (bytes) => fromBinary(method.output, bytes) as MessageShape<M['output']>,
            request,
            metadata,
            options,
            (error, response) => (response ? resolve({ response, headers }) : reject(error)),
          )
          .on('metadata', (it: grpc.Metadata) => {
            headers = it;
          });
      });
    const stream = (users: readonly { username: string }[], options: grpc.CallOptions = {}) =>
      client.makeServerStreamRequest(
        pathOf(getUsers),
        (request: MessageInitShape<typeof getUsers.input>) =>
          Buffer.from(toBinary(getUsers.input, create(getUsers.input, request))),
        (bytes) => fromBinary(getUsers.output, bytes),
        { user: [...users] },
        metadataOf(),
        options,
      );
    const failure = async (work: Promise<unknown>): Promise<grpc.ServiceError> => {
      try {
        await work;
      } catch (error) {
        if (error instanceof Error && 'code' in error) return error as grpc.ServiceError; // what grpc-js throws
        throw error;
      }
      throw new Error('the call did not fail');
    };
    const drain = async (call: AsyncIterable<unknown>) => {
      for await (const _ of call);
    };

    await check('ready within 10 s', () => {
      return new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
      });
    });
    await check('create a user, with ASCII, binary and repeated metadata', async () => {
      const metadata = metadataOf({
        ip: '127.0.0.1',
        'trace-bin': Buffer.from([0, 255]),
        tag: ['one', 'two'],
      });
      const { response } = await unary(createUser, { username }, metadata);
      assert.equal(response.user?.username, username);
    });
    await check('the request id comes back', async () => {
      const name = `${username}-id`;
      const { headers } = await unary(
        createUser,
        { username: name },
        metadataOf({ 'x-request-id': 'peer-1' }),
      );
      assert.deepEqual(headers.get('x-request-id'), ['peer-1']);
    });
    await check('stream 1,000 users', async () => {
      const names: unknown[] = [];
      for await (const { result } of stream(Array(1000).fill({ username })))
        names.push(result.value.username);
      assert.deepEqual(names, Array(1000).fill(username));
    });
    await check('a name that is taken: ALREADY_EXISTS with ErrorInfo', async () => {
      const error = await failure(unary(createUser, { username }));
      assert.equal(error.code, grpc.status.ALREADY_EXISTS);
      const info = detailsOf(error).map((it) => anyUnpack(it, ErrorInfoSchema)?.reason);
      assert.ok(info.includes('USERNAME_TAKEN'), String(info));
    });
    await check('bad input: INVALID_ARGUMENT with every violation in BadRequest', async () => {
      const error = await failure(unary(createUser, { username: '-', email: 'nowhere' }));
      assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
      const bad = detailsOf(error).flatMap((it) => anyUnpack(it, BadRequestSchema)?.fieldViolations ?? []);
      assert.deepEqual(bad.map((it) => it.field).sort(), ['email', 'username']);
    });
    await check('a deadline: DEADLINE_EXCEEDED', async () => {
      const error = await failure(drain(stream([{ username }], { deadline: Date.now() - 1 })));
      assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
    });
    await check('cancel a stream', async () => {
      const call = stream(Array(10_000).fill({ username }));
      call.once('data', () => call.cancel());
      const error = await failure(
        new Promise((resolve, reject) =>
          call
            .on('error', reject)
            .on('end', resolve)
            .on('data', () => {}),
        ),
      );
      assert.equal(error.code, grpc.status.CANCELLED);
    });
    await check('an unknown method: UNIMPLEMENTED', async () => {
      const identity = (bytes: Buffer) => bytes;
      const call = new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          '/Users/Nothing',
          identity,
          identity,
          Buffer.alloc(0),
          metadataOf(),
          (error, it) => (error ? reject(error) : resolve(it)),
        );
      });
      assert.equal((await failure(call)).code, grpc.status.UNIMPLEMENTED);
    });
    client.close();
  },
};

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function detailsOf({ metadata }: grpc.ServiceError) {
  const [bytes] = metadata.get('grpc-status-details-bin');
  return Buffer.isBuffer(bytes) ? fromBinary(StatusSchema, bytes).details : [];
}
