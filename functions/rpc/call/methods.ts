import {
  createRegistry,
  type DescFile,
  type DescMethod,
  type DescService,
  type Registry,
} from '@bufbuild/protobuf';
import {
  type ConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImplSpec,
} from '@connectrpc/connect';
import type { RpcLimits } from '../limits.ts';
import { BinaryCodec, type Codec, JsonCodec } from '../message/codec.ts';
import type { ElementLimit, MeasureLimits } from '../message/measure.ts';

/** Adds services to a router, as connect's own servers take it. */
export type AddServices = (router: ConnectRouter) => void;

/** What methods are made with. */
export interface MethodOptions {
  readonly limits: RpcLimits;
  readonly elementLimits: readonly ElementLimit[];
  /** Methods whose calls last as long as their client wants, if that sets no deadline. */
  readonly untimedPaths: ReadonlySet<string>;
}

interface Codecs {
  readonly input: Codec;
  readonly output: Codec;
}

/**
 * A method that can be called by its path: its implementation, its limits, and how its messages are read and written.
 */
export class Method implements MeasureLimits {
  /** For example `/Users/CreateUser`. */
  readonly path: string;
  readonly spec: MethodImplSpec;
  /** Whether a call may last as long as its client wants, if that sets no deadline: a watch is made for that. */
  readonly isUntimed: boolean;
  /** Whether its request is a stream of messages. */
  readonly takesStream: boolean;
  /** The largest request message. */
  readonly maxRequestBytes: number;
  readonly maxMessageElements: number;
  readonly elementLimits: readonly ElementLimit[];
  readonly #binary: Codecs;
  readonly #json: Codecs;

  constructor(spec: MethodImplSpec, registry: Registry, options: MethodOptions) {
    const { method, kind } = spec;
    const { limits, elementLimits, untimedPaths } = options;
    this.path = pathOf(method);
    this.spec = spec;
    this.isUntimed = untimedPaths.has(this.path);
    this.takesStream = kind === 'client_streaming' || kind === 'bidi_streaming';
    this.maxRequestBytes = Math.min(limits.maxRequestBytes, limits.maxMessageBytes);
    this.maxMessageElements = limits.maxMessageElements;
    this.elementLimits = elementLimits.filter(({ field }) => field.parent === method.input);
    this.#binary = { input: new BinaryCodec(method.input), output: new BinaryCodec(method.output) };
    this.#json = {
      input: new JsonCodec(method.input, registry),
      output: new JsonCodec(method.output, registry),
    };
  }

  /** Reads its requests. */
  input(isBinary: boolean): Codec {
    return isBinary ? this.#binary.input : this.#json.input;
  }

  /** Writes its responses. */
  output(isBinary: boolean): Codec {
    return isBinary ? this.#binary.output : this.#json.output;
  }
}

/** The path that a method is called by. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * Collects the methods that are added to a router.
 *
 * @throws Error when a service is added with options of its own: connect would drop the interceptors
 * and enable protocols that the server has disabled.
 */
export function collectMethods(addServices: AddServices): MethodImplSpec[] {
  const methods: MethodImplSpec[] = [];
  const router: ConnectRouter = {
    handlers: [],
    service(service, implementation, options) {
      refuse(options);
      methods.push(...Object.values(createServiceImplSpec(service, implementation).methods));
      return router;
    },
    rpc(method, implementation, options) {
      refuse(options);
      methods.push(createMethodImplSpec(method, implementation));
      return router;
    },
  };
  addServices(router);
  return methods;
}

/** The services that methods belong to, each once. */
export function servicesOf(methods: readonly MethodImplSpec[]): DescService[] {
  return [...new Set(methods.map((it) => it.method.parent))];
}

/** The types that a google.protobuf.Any may hold in JSON: all of the files that the services come from. */
export function typesOf(services: readonly DescService[]): Registry {
  const files = new Set<DescFile>();
  const add = (file: DescFile) => {
    if (files.has(file)) return;
    files.add(file);
    file.dependencies.forEach(add);
  };
  for (const { file } of services) add(file);
  return createRegistry(...files);
}

/** Makes methods callable by their paths. @throws Error when two have the same. */
export function methodsByPath(
  specs: readonly MethodImplSpec[],
  registry: Registry,
  options: MethodOptions,
): Map<string, Method> {
  const byPath = new Map<string, Method>();
  for (const spec of specs) {
    const method = new Method(spec, registry, options);
    if (byPath.has(method.path)) throw new Error(`the method ${method.path} is added twice`);
    byPath.set(method.path, method);
  }
  return byPath;
}

function refuse(options: unknown): void {
  if (options !== undefined) {
    throw new Error('services take no options of their own: set limits and interceptors on the server');
  }
}
