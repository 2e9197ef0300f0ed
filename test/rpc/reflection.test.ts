// Proves the standard reflection service, v1 and v1alpha: every kind of question, what is not there, and that the
// files it hands out are enough to build the schema again; and what limits it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { ServerReflection as V1 } from '../../functions/rpc/standard/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as V1alpha } from '../../functions/rpc/standard/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Health } from '../../proto/gen/health/v1/health_pb.js';
import { byName, toAllKnown } from '../support/callers.ts';
import { all, endsWith } from '../support/outcome.ts';
import type { Serving } from '../support/server.ts';
import { clientOf } from '../support/transports.ts';
import { serve } from './echo.ts';
import { Echo } from './gen/echo_pb.js';

const wire = { protocol: 'grpc', http: '2' } as const;

/** The same in both versions. */
type Question =
  | {
      case: 'listServices' | 'fileByFilename' | 'fileContainingSymbol' | 'allExtensionNumbersOfType';
      value: string;
    }
  | { case: 'fileContainingExtension'; value: { containingType: string; extensionNumber: number } }
  | { case: undefined };

/** Asks all questions in one call. */
async function* asking(serving: Serving, service: typeof V1 | typeof V1alpha, questions: Question[]) {
  async function* requests() {
    for (const messageRequest of questions) yield { host: 'h', messageRequest };
  }
  const answers =
    service === V1
      ? clientOf(V1, serving, wire).serverReflectionInfo(requests())
      : clientOf(V1alpha, serving, wire).serverReflectionInfo(requests());
  for await (const { messageResponse } of answers) yield messageResponse;
}

const ask = (...call: Parameters<typeof asking>) => all(asking(...call));

for (const service of [V1, V1alpha]) {
  describe(service.typeName, () => {
    it('finds the members of types: values of enums beside their enum, and oneofs, as grpc-go and grpcio do', async (t) => {
      const serving = await serve(t);
      const symbols = [
        'grpc.health.v1.HealthCheckResponse.SERVING',
        `${service.typeName.replace('ServerReflection', 'ServerReflectionRequest')}.message_request`,
      ];
      const questions = symbols.map((value) => ({ case: 'fileContainingSymbol' as const, value }));
      for (const answer of await ask(serving, service, questions)) {
        assert.equal(answer.case, 'fileDescriptorResponse');
      }
    });

    it('lists the services', async (t) => {
      const serving = await serve(t);
      const [answer] = await ask(serving, service, [{ case: 'listServices', value: '' }]);
      assert.equal(answer?.case, 'listServicesResponse');
      assert.deepEqual(
        answer.value.service.map(({ name }) => name),
        [Echo.typeName, Health.typeName, V1.typeName, V1alpha.typeName],
      );
    });

    it('hands out files by name and by symbol, with all that they import', async (t) => {
      const serving = await serve(t);
      const questions: Question[] = [
        { case: 'fileByFilename', value: 'echo.proto' },
        ...[
          'test.echo.v1.Echo',
          'test.echo.v1.Echo.Bidi',
          'test.echo.v1.EchoRequest',
          'test.echo.v1.EchoRequest.pad',
        ].map((value) => ({ case: 'fileContainingSymbol' as const, value })),
      ];
      for (const answer of await ask(serving, service, questions)) {
        assert.equal(answer.case, 'fileDescriptorResponse');
        const file = answer.value.fileDescriptorProto.map((it) => fromBinary(FileDescriptorProtoSchema, it));
        assert.equal(file[0]?.name, 'echo.proto');
        const registry = createFileRegistry({
          $typeName: FileDescriptorSetSchema.typeName,
          file: file.toReversed(),
        });
        assert.equal(registry.getService(Echo.typeName)?.methods.length, Echo.methods.length);
        assert.ok(registry.getMessage('google.protobuf.Any'), 'the import is missing');
      }
    });

    it('answers for extensions, of which there are none', async (t) => {
      const serving = await serve(t);
      const extension = { containingType: 'test.echo.v1.EchoRequest', extensionNumber: 7 };
      const [numbers, none, nowhere] = await ask(serving, service, [
        { case: 'allExtensionNumbersOfType', value: 'test.echo.v1.EchoRequest' },
        {
          case: 'fileContainingExtension',
          value: extension,
        },
        { case: 'allExtensionNumbersOfType', value: 'nowhere' },
      ]);
      assert.equal(numbers?.case, 'allExtensionNumbersResponse');
      assert.deepEqual(numbers.value.extensionNumber, []);
      for (const answer of [none, nowhere]) {
        assert.equal(answer?.case, 'errorResponse');
        assert.equal(answer.value.errorCode, Code.NotFound);
      }
    });

    it('says what is not there, and answers on', async (t) => {
      const serving = await serve(t);
      const [file, symbol, empty, list] = await ask(serving, service, [
        { case: 'fileByFilename', value: 'nowhere.proto' },
        { case: 'fileContainingSymbol', value: 'nowhere' },
        { case: undefined },
        { case: 'listServices', value: '' },
      ]);
      for (const answer of [file, symbol]) {
        assert.equal(answer?.case, 'errorResponse');
        assert.equal(answer.value.errorCode, Code.NotFound);
        assert.match(answer.value.errorMessage, /nowhere/);
      }
      assert.equal(empty?.case, 'errorResponse');
      assert.equal(empty.value.errorCode, Code.InvalidArgument);
      assert.equal(list?.case, 'listServicesResponse');
    });
  });
}

for (const service of [V1, V1alpha]) {
  for (const isOpen of [false, true]) {
    const where = `of ${service.typeName}${isOpen ? ' where it is open, but the first' : ''}`;
    it(`each question of a call costs a token of the quota, ${where}`, async (t) => {
      const limits = { tokensPerSecondPerCaller: 1, maxTokensPerCaller: 3 };
      const auth = { scopes: toAllKnown(Echo), ways: [byName], isReflectionOpen: true };
      const serving = await serve(t, {}, { limits, now: () => 0, ...(isOpen ? { auth } : {}) });
      const questions = Array<Question>(9).fill({ case: 'listServices', value: '' });
      let answered = 0;
      const asked = async () => {
        for await (const _ of asking(serving, service, questions)) answered += 1;
      };
      await endsWith(Code.ResourceExhausted, asked());
      // The last may leave its caller in debt, as `spend` has it.
      assert.equal(answered, isOpen ? 5 : 4);
    });
  }
}

it('open reflection calls are bounded', async (t) => {
  const serving = await serve(t, {}, { limits: { maxWatches: 1 } });
  const reflection = clientOf(V1, serving, wire);
  const end = Promise.withResolvers<void>();
  async function* requests() {
    yield { messageRequest: { case: 'listServices' as const, value: '' } };
    await end.promise;
  }
  const first = reflection.serverReflectionInfo(requests())[Symbol.asyncIterator]();
  assert.equal((await first.next()).done, false);
  await endsWith(Code.ResourceExhausted, all(reflection.serverReflectionInfo(requests())));
  end.resolve();
  assert.equal((await first.next()).done, true);
  // Its place is free again.
  assert.equal((await all(reflection.serverReflectionInfo(requests()))).length, 1);
});
