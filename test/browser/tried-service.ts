import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { BadRequestSchema, ErrorInfoSchema, retryInfo } from '../../functions/rpc/index.ts';
import { file_shapes, type Shape, ShapeSchema } from '../rpc/gen/shapes_pb.js';

const shape = `.${ShapeSchema.typeName}`;

/**
 * A service of no generated code, whose requests have fields of each kind: `Echo` answers with its request, `Words`
 * with a message for each word of the test, `Many` with as many as it is told, `Refuse` with an error and details of
 * it.
 */
export const Tried: DescService = describeTried();

function describeTried(): DescService {
  const method = (name: string, serverStreaming = false, clientStreaming = false) => ({
    name,
    inputType: shape,
    outputType: shape,
    serverStreaming,
    clientStreaming,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: 'tried.proto',
    package: 'test.tried.v1',
    syntax: 'proto3',
    dependency: [file_shapes.proto.name],
    service: [
      {
        name: 'Tried',
        method: [
          method('Echo'),
          method('Words', true),
          method('Many', true),
          method('Refuse'),
          method('Upload', false, true),
        ],
      },
    ],
  });
  const files = [...file_shapes.dependencies.map((it) => it.proto), file_shapes.proto, file];
  const found = createFileRegistry(create(FileDescriptorSetSchema, { file: files })).getService(
    'test.tried.v1.Tried',
  );
  if (found === undefined) throw new Error('the service is not described');
  return found;
}

/** What a test says to the streams of `Words`. */
export class Script {
  /** The `x-ask` of each call of `Echo`. */
  readonly asked: string[] = [];
  #word = Promise.withResolvers<string | undefined>();
  #waited = Promise.withResolvers<void>();

  /** Resolves when a stream waits for a word. */
  waited(): Promise<void> {
    return this.#waited.promise;
  }

  /** Lets the stream that waits send a word; `undefined` ends it. */
  say(word: string | undefined): void {
    const { resolve } = this.#word;
    this.#word = Promise.withResolvers();
    this.#waited = Promise.withResolvers();
    resolve(word);
  }

  /** The next word. */
  next(): Promise<string | undefined> {
    this.#waited.resolve();
    return this.#word.promise;
  }
}

/** Implements `Tried`. */
export function triedService(script: Script): Partial<ServiceImpl<DescService>> {
  const shapeOf = (text: string): Shape => create(ShapeSchema, { text });
  const methods = {
    echo: (request: Shape, context: HandlerContext) => {
      const asked = context.requestHeader.get('x-ask') ?? 'nothing';
      script.asked.push(asked);
      context.responseHeader.set('x-asked', asked);
      context.responseTrailer.set('x-end', 'well');
      return request;
    },
    async *words() {
      for (let word = await script.next(); word !== undefined; word = await script.next())
        yield shapeOf(word);
    },
    async *many({ small }: Shape) {
      for (let index = 0; index < small; index++) yield shapeOf(`message ${index + 1}`);
    },
    refuse() {
      const error = new ConnectError('the shape is not as it must be', Code.InvalidArgument);
      const fieldViolations = [
        { field: 'text', description: 'must rhyme' },
        { field: 'shapes[0].small', description: 'must be odd' },
      ];
      const metadata = { rule: 'poetry' };
      error.details.push({ desc: ErrorInfoSchema, value: { reason: 'NO_RHYME', domain: 'tests', metadata } });
      error.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
      error.details.push(retryInfo(1_500));
      throw error;
    },
  };
  // The compiler knows no method of a service that has no generated code.
  return methods as object as Partial<ServiceImpl<DescService>>;
}
