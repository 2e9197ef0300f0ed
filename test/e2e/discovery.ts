import assert from 'node:assert/strict';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { EmptySchema, type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, createClient } from '@connectrpc/connect';
import { ServerReflection as ReflectionV1 } from '../../functions/rpc/standard/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ReflectionV1Alpha } from '../../functions/rpc/standard/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { ways } from '../support/transports.ts';
import { test } from './home.ts';
import { rawCall } from './raw.ts';
import { open, type Target } from './target.ts';

/** Proves what a client can find out about the service: its health, its methods and messages, and what it lacks. */
export function proveDiscovery(target: () => Target): void {
  for (const way of ways) {
    test(`${way.name}: health of the server, of the service, and of a stranger`, async () => {
      using client = open(target(), way);
      await client.ready();
      assert.equal(await client.health(), 'SERVING');
      assert.equal(await client.health('Users'), 'SERVING');
      await assert.rejects(client.health('Strangers'), { code: Code.NotFound });
      const health = createClient(Health, client.transport);
      assert.equal((await health.list({})).statuses.Users?.status, Status.SERVING);
    });
  }

  for (const [version, Reflection] of [
    ['v1', ReflectionV1],
    ['v1alpha', ReflectionV1Alpha],
  ] as const) {
    test(`reflection ${version}: services by name, and a schema that is complete`, async () => {
      using client = open(target());
      const reflection = createClient(Reflection, client.transport);
      const answers: unknown[] = [];
      const files = new Map<string, FileDescriptorProto>();
      async function* questions() {
        yield { messageRequest: { case: 'listServices' as const, value: '' } };
        yield { messageRequest: { case: 'fileContainingSymbol' as const, value: 'Users' } };
        yield { messageRequest: { case: 'fileByFilename' as const, value: 'users_types.proto' } };
        yield { messageRequest: { case: 'fileContainingSymbol' as const, value: 'no.Such' } };
      }
      for await (const { messageResponse } of reflection.serverReflectionInfo(questions())) {
        switch (messageResponse.case) {
          case 'listServicesResponse':
            answers.push(messageResponse.value.service.map(({ name }) => name));
            break;
          case 'fileDescriptorResponse':
            answers.push('file');
            for (const bytes of messageResponse.value.fileDescriptorProto) {
              const file = fromBinary(FileDescriptorProtoSchema, bytes);
              files.set(file.name, file);
            }
            break;
          default:
            answers.push(
              messageResponse.case === 'errorResponse' ? messageResponse.value.errorCode : undefined,
            );
        }
      }
      const [services, ...rest] = answers;
      assert.ok(
        Array.isArray(services) && services.includes('Users') && services.includes('grpc.health.v1.Health'),
      );
      assert.deepEqual(rest, ['file', 'file', Code.NotFound]);
      const users = files.get('users.proto');
      assert.ok(users);
      const registry = createFileRegistry(users, (name) => files.get(name));
      const method = registry.getService('Users')?.method.getUsers;
      assert.equal(method?.methodKind, 'server_streaming');
      assert.equal(method?.input.typeName, 'users.GetUsersRequest');
    });
  }

  test('methods and services that are not there are UNIMPLEMENTED', async () => {
    for (const path of ['/Users/NoSuchMethod', '/Strangers/GetUsers']) {
      const answer = await rawCall(target(), { path, input: EmptySchema, output: EmptySchema, message: {} });
      assert.equal(answer.status, Code.Unimplemented, answer.statusMessage);
    }
  });
}
