// Proves that messages which have JSON of their own, a FieldMask and a Timestamp, are read and written as it says; and
// that what can't be one is INVALID_ARGUMENT, with the field's name and what it must be, but not what was sent.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import fc from 'fast-check';
import { type Account, file_users_types, type UpdateUserRequest } from '../../proto/gen/users_types_pb.js';
import { requestHttp1 } from '../support/raw-request.ts';
import { type Serving, serve } from '../support/server.ts';

/** Answers with its request, which no method of Users does. */
const Mirror: DescService = describeMirror();

function describeMirror(): DescService {
  const method = (name: string, type: string) => ({ name, inputType: type, outputType: type });
  const file = create(FileDescriptorProtoSchema, {
    name: 'mirror.proto',
    package: 'test.mirror.v1',
    syntax: 'proto3',
    dependency: [file_users_types.proto.name],
    service: [
      {
        name: 'Mirror',
        method: [method('Update', '.users.UpdateUserRequest'), method('Account', '.users.Account')],
      },
    ],
  });
  const files = [...file_users_types.dependencies.map((it) => it.proto), file_users_types.proto, file];
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files }));
  return registry.getService('test.mirror.v1.Mirror') ?? assert.fail('the service is not described');
}

function serveMirror(t: TestContext): Promise<Serving> {
  const methods = {
    update: (request: UpdateUserRequest) => request,
    account: (request: Account) => request,
  };
  // The compiler knows no method of a service that has no generated code.
  const service = methods as object as Partial<ServiceImpl<DescService>>;
  return serve(t, { routes: (router) => router.service(Mirror, service) });
}

/** Sends JSON; returns the status and the JSON that came back. */
async function send(serving: Serving, method: 'Update' | 'Account', json: string) {
  const head = {
    path: `/test.mirror.v1.Mirror/${method}`,
    headers: { 'content-type': 'application/json' },
  };
  const exchange = requestHttp1(serving.url, head);
  exchange.request.end(json);
  const body: { readonly message: string } = JSON.parse(await text(exchange.chunks()));
  return { status: exchange.status, body };
}

describe('a FieldMask', () => {
  for (const [sent, back] of [
    ['"email"', 'email'],
    ['"username,email,password"', 'username,email,password'],
    ['"hasPassword,user.userId"', 'hasPassword,user.userId'],
    ['""', ''],
  ] as const) {
    it(`is ${sent}`, async (t) => {
      const serving = await serveMirror(t);
      for (const name of ['updateMask', 'update_mask']) {
        assert.deepEqual(await send(serving, 'Update', `{"${name}":${sent}}`), {
          status: 200,
          body: { updateMask: back },
        });
      }
    });
  }

  it('is not there where it is null', async (t) => {
    const serving = await serveMirror(t);
    assert.deepEqual(await send(serving, 'Update', '{"updateMask":null}'), { status: 200, body: {} });
  });

  for (const sent of ['7', 'true', '{}', '[]', '["email"]', '{"paths":["email"]}', '"has_password"']) {
    it(`is not ${sent}`, async (t) => {
      const answer = await send(await serveMirror(t), 'Update', `{"updateMask":${sent}}`);
      assertRefused(answer, 'update_mask');
    });
  }
});

describe('a message of ours', () => {
  it('is an object, and its fields are those of its own type', async (t) => {
    const serving = await serveMirror(t);
    for (const sent of ['7', '"tom"', '["secret"]', '[]']) {
      const { status, body } = await send(serving, 'Update', `{"key":${sent}}`);
      assert.equal(status, 400);
      const message =
        'the request is not a valid message: field users.UpdateUserRequest.key must be an object';
      assert.deepEqual(body, { ...body, code: 'invalid_argument', message });
    }
    const { body } = await send(serving, 'Update', '{"key":{"secret":7}}');
    assert.match(body.message, /a field is unknown; users\.UserKey has username, user_id, email$/);
    const twice = await send(serving, 'Update', '{"key":{"username":"a","userId":7}}');
    assert.match(twice.body.message, /: UserKey takes one of username, user_id, email, not two$/);
  });
});

describe('a Timestamp', () => {
  for (const [sent, back] of [
    ['2026-11-27T20:00:00Z', '2026-11-27T20:00:00Z'],
    ['2026-11-27T21:00:00.120+01:00', '2026-11-27T20:00:00.120Z'],
    ['1969-12-31T23:59:59.999999999Z', '1969-12-31T23:59:59.999999999Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z'],
  ] as const) {
    it(`is "${sent}"`, async (t) => {
      const answer = await send(await serveMirror(t), 'Account', `{"createdAt":"${sent}"}`);
      assert.deepEqual(answer, { status: 200, body: { createdAt: back } });
    });
  }

  for (const sent of [
    '1764273600',
    '{"seconds":1}',
    '["2026-11-27T20:00:00Z"]',
    '""',
    '"yesterday"',
    '"2026-11-27"',
    '"2026-11-27T20:00:00"',
    '"2026-13-27T20:00:00Z"',
    '"2026-11-27T20:00:00.1234567890Z"',
    '"10000-01-01T00:00:00Z"',
  ]) {
    it(`is not ${sent}`, async (t) => {
      assertRefused(await send(await serveMirror(t), 'Account', `{"createdAt":${sent}}`), 'created_at');
    });
  }
});

it('whatever is sent for either is read, or refused by its name', async (t) => {
  const serving = await serveMirror(t);
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      for (const [method, name, field] of [
        ['Update', 'updateMask', 'update_mask'],
        ['Account', 'createdAt', 'created_at'],
      ] as const) {
        const answer = await send(serving, method, JSON.stringify({ [name]: value }));
        const isCounted = answer.body.message?.includes('more keys than there are fields');
        if (answer.status !== 200 && !isCounted) assertRefused(answer, field);
      }
    }),
    { numRuns: 200 },
  );
});

function assertRefused({ status, body }: { status: number; body: { message: string } }, field: string): void {
  assert.equal(status, 400, JSON.stringify(body));
  assert.match(
    body.message,
    new RegExp(`^the request is not a valid message: field users\\.\\w+\\.${field} must be `),
  );
}
