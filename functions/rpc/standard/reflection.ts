import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type HandlerContext } from '@connectrpc/connect';
import { spend } from '../call/quota.ts';
import { file_google_rpc_error_details } from './gen/google/rpc/error_details_pb.js';
import type { ServerReflectionRequest as V1Request } from './gen/grpc/reflection/v1/reflection_pb.js';
import type { ServerReflectionRequest as V1alphaRequest } from './gen/grpc/reflection/v1alpha/reflection_pb.js';

/** A request of v1 or v1alpha, which are the same but for their package. */
type Question = V1Request | V1alphaRequest;

/**
 * The standard reflection service: tells clients such as grpcurl what is served.
 * Source: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
export class Reflection {
  readonly #services: readonly DescService[];
  #index: Index | undefined;

  /** `services`: what is served, reflection included. */
  constructor(services: readonly DescService[]) {
    this.#services = services;
  }

  /**
   * The method `ServerReflectionInfo`, for the services of v1 and of v1alpha. The call has paid for its first question;
   * each other one costs a token, since one call has any number of them.
   *
   * @throws QUOTA_EXCEEDED
   */
  async *answer<Q extends Question>(questions: AsyncIterable<Q>, context: HandlerContext) {
    let isFirst = true;
    for await (const question of questions) {
      if (!isFirst) spend(context, 1);
      isFirst = false;
      const originalRequest = question as Q; // for await unwraps promises, which a message is not
      yield { validHost: question.host, originalRequest, messageResponse: this.#answerOne(question) };
    }
  }

  #answerOne({ messageRequest: { case: kind, value } }: Question) {
    // Made at the first question: most servers are never asked.
    this.#index ??= new Index(this.#services);
    const index = this.#index;
    switch (kind) {
      case 'listServices':
        return {
          case: 'listServicesResponse' as const,
          value: { service: this.#services.map((it) => ({ name: it.typeName })) },
        };
      case 'fileByFilename':
        return fileResponse(index.files.get(value), `no file ${value}`);
      case 'fileContainingSymbol':
        return fileResponse(index.symbols.get(value), `no symbol ${value}`);
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = value;
        const extension = index.extensionsOf(containingType).find((it) => it.number === extensionNumber);
        return fileResponse(extension?.file, `no extension ${extensionNumber} of ${containingType}`);
      }
      case 'allExtensionNumbersOfType': {
        if (!index.symbols.has(value)) return errorResponse(`no type ${value}`);
        const extensionNumber = index.extensionsOf(value).map((it) => it.number);
        return {
          case: 'allExtensionNumbersResponse' as const,
          value: { baseTypeName: value, extensionNumber },
        };
      }
      default:
        return errorResponse('unknown question', Code.InvalidArgument);
    }
  }
}

/** Which file declares what, over the files of the services and all that they import. */
class Index {
  readonly files = new Map<string, DescFile>();
  readonly symbols = new Map<string, DescFile>();
  readonly #extensions: DescExtension[] = [];

  constructor(services: readonly DescService[]) {
    for (const service of services) this.#add(service.file);
    // No service imports the details of errors: a client can show them only if it may ask for them too.
    this.#add(file_google_rpc_error_details);
  }

  extensionsOf(typeName: string): DescExtension[] {
    return this.#extensions.filter((it) => it.extendee.typeName === typeName);
  }

  #add(file: DescFile): void {
    const name = file.proto.name;
    if (this.files.has(name)) return;
    this.files.set(name, file);
    for (const type of nestedTypes(file)) {
      for (const symbol of [type.typeName, ...membersOf(type)]) this.symbols.set(symbol, file);
      if (type.kind === 'extension') this.#extensions.push(type);
    }
    for (const dependency of file.dependencies) this.#add(dependency);
  }
}

/**
 * The full names of what a type declares: the values of an enum are its siblings, as in C++ (protobuf's
 * descriptor.proto).
 */
function membersOf(type: DescEnum | DescExtension | DescMessage | DescService): string[] {
  switch (type.kind) {
    case 'message':
      return [...type.fields, ...type.oneofs].map(({ name }) => `${type.typeName}.${name}`);
    case 'service':
      return type.methods.map(({ name }) => `${type.typeName}.${name}`);
    case 'enum': {
      const scope = type.typeName.slice(0, -type.name.length);
      return type.values.map(({ name }) => `${scope}${name}`);
    }
    case 'extension':
      return [];
  }
}

/** The file, followed by all that it imports. */
function fileResponse(file: DescFile | undefined, message: string) {
  if (file === undefined) return errorResponse(message);
  const ordered = new Set<DescFile>();
  const visit = (it: DescFile) => {
    it.dependencies.forEach(visit);
    ordered.add(it);
  };
  visit(file);
  const [...files] = ordered;
  const fileDescriptorProto = files.reverse().map((it) => toBinary(FileDescriptorProtoSchema, it.proto));
  return { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto } };
}

function errorResponse(errorMessage: string, errorCode: Code = Code.NotFound) {
  return { case: 'errorResponse' as const, value: { errorCode, errorMessage } };
}
