import {
  createFileRegistry,
  type DescField,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromBinary,
  type JsonValue,
} from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { ConsoleInfo } from '../contract.ts';
import { exampleOf } from './try/example.ts';

/** What can be called, as the server's descriptors say. */
export class Catalog {
  readonly info: ConsoleInfo;
  readonly registry: FileRegistry;
  readonly services: readonly DescService[];

  /** @throws Error if the descriptors can't be read */
  constructor(info: ConsoleInfo) {
    this.info = info;
    this.registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, base64Decode(info.files)));
    this.services = info.services
      .map((name) => this.registry.getService(name))
      .filter((it) => it !== undefined);
  }

  /** The method of a path, such as `/Users/CreateUser`. */
  method(path: string): DescMethod | undefined {
    return this.services.flatMap((it) => it.methods).find((it) => pathOf(it) === path);
  }

  /** The comment of the proto. */
  comment(desc: DescMethod | DescService | DescField): string | undefined {
    const name = desc.kind === 'service' ? desc.typeName : `${desc.parent.typeName}.${desc.name}`;
    return this.info.comments[name];
  }

  /** A request to begin with: the server's, or one made from the descriptor. */
  example(method: DescMethod): JsonValue {
    const given = this.info.examples[`${method.parent.typeName}.${method.name}`];
    // What came as JSON is JSON.
    if (given !== undefined) return given as JsonValue;
    // Health and reflection know no made-up names: without one they answer about the server.
    return method.parent.typeName.startsWith('grpc.') ? {} : exampleOf(method.input);
  }

  /** Who may call a method, in words; `undefined` where the server lets in everybody. */
  access(method: DescMethod): string | undefined {
    if (!this.info.needsCredential) return undefined;
    const scopes = this.info.scopes[pathOf(method)];
    if (scopes === 'open') return 'open to everybody';
    return scopes && scopes.length > 0 ? `needs ${scopes.join(', ')}` : 'needs a credential';
  }
}

/** The path of a method, such as `/Users/CreateUser`. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Whether a browser can call it: none sends a request as a stream. */
export function isCallable({ methodKind }: DescMethod): boolean {
  return methodKind === 'unary' || methodKind === 'server_streaming';
}

/** How a method streams, in words. */
export function kindOf({ methodKind }: DescMethod): string {
  return methodKind === 'bidi_streaming' ? 'bidi stream' : methodKind.replace('_streaming', ' stream');
}
