import {
  createRegistry,
  type DescFile,
  type DescMessage,
  type DescService,
  type Registry,
} from '@bufbuild/protobuf';
import {
  type ConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImplSpec,
} from '@connectrpc/connect';
import {
  createMethodSerializationLookup,
  type MethodSerializationLookup,
} from '@connectrpc/connect/protocol';
import type { Limits } from '../../limits.ts';

/** A method that can be called by its path. */
export interface Route {
  /** For example `/Users/CreateUser`. */
  readonly path: string;
  readonly spec: MethodImplSpec;
  /** Parses and serializes its messages, as protobuf or JSON. */
  readonly serialization: MethodSerializationLookup<DescMessage, DescMessage>;
  /** Whether a call may last for ever if its client sets no deadline: a watch is made for that. */
  readonly isUntimed: boolean;
}

/** Adds services to a router, as connect's own servers take it. */
export type Routes = (router: ConnectRouter) => void;

/**
 * Collects the methods that are added to a router.
 *
 * @throws Error when a service is added with options of its own: connect would drop the interceptors
 * and enable protocols that the server has disabled.
 */
export function collectMethods(routes: Routes): MethodImplSpec[] {
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
  routes(router);
  return methods;
}

/** The services that methods belong to, each once. */
export function servicesOf(methods: readonly MethodImplSpec[]): DescService[] {
  return [...new Set(methods.map((it) => it.method.parent))];
}

/** Fields that the contract does not know are skipped: nobody reads them, and keeping them costs memory. */
export const binaryOptions = { readUnknownFields: false };

/** The largest request message. */
export function maxRequestBytes(limits: Pick<Limits, 'maxMessageBytes' | 'maxRequestBytes'>): number {
  return Math.min(limits.maxRequestBytes, limits.maxMessageBytes);
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
export function routesByPath(
  methods: readonly MethodImplSpec[],
  untimedPaths: ReadonlySet<string>,
  limits: Pick<Limits, 'maxMessageBytes' | 'maxRequestBytes'>,
  types: Registry,
): Map<string, Route> {
  const byPath = new Map<string, Route>();
  for (const spec of methods) {
    const path = `/${spec.method.parent.typeName}/${spec.method.name}`;
    if (byPath.has(path)) throw new Error(`the method ${path} is added twice`);
    const serialization = createMethodSerializationLookup(
      spec.method,
      binaryOptions,
      { registry: types },
      {
        readMaxBytes: maxRequestBytes(limits),
        writeMaxBytes: limits.maxMessageBytes,
      },
    );
    byPath.set(path, { path, spec, serialization, isUntimed: untimedPaths.has(path) });
  }
  return byPath;
}

function refuse(options: unknown): void {
  if (options !== undefined) {
    throw new Error('services take no options of their own: set limits and interceptors on the server');
  }
}
