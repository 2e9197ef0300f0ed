import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  type Client,
  type Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
import { httpStatusOf } from '../../functions/rpc/call/status.ts';
import type { HttpResource } from '../../functions/rpc/index.ts';
import { all } from '../support/outcome.ts';
import type { Serving, ServingOptions } from '../support/server.ts';
import { partsOf } from './differential/answer.ts';
import { Dialect, type Method } from './differential/dialect.ts';
import { connect, type RawCall, rawCall } from './differential/raw-call.ts';
import { asBytes, asText } from './differential/web-text.ts';
import { serve } from './echo.ts';
import { Echo, type EchoRequest } from './gen/echo_pb.js';

/** What a caller learns of a call. */
export interface Outcome {
  /** The number of the code, `0` for OK, in the words of the protocol; plain HTTP has none. */
  readonly status: string | undefined;
  readonly message: string | undefined;
  /** The HTTP status; calls from within the process have none. */
  readonly http: number | undefined;
  /** All of the answer. */
  readonly said: string;
}

type Headers = Readonly<Record<string, string>>;

/** A way into a server, as its gate and its log know it. */
export interface WayIn {
  readonly name: string;
  readonly protocol: string;
  readonly path: string;
  /** Whether a method is called, with the interceptors around it. */
  readonly isMethod: boolean;
  /** Whether the method is Echo's. */
  readonly isEcho: boolean;
  /** Whether it ends by itself, once it is let in. */
  readonly hasEnd: boolean;
  /**
   * How it is told of errors: by an HTTP status and text, by an HTTP status and JSON, by a status of its own, by what
   * is thrown.
   */
  readonly words: 'http' | 'unary' | 'rpc' | 'local';
  /**
   * Calls; with `isUnreadable`, with a body that no method can read; with these headers besides. Local callers have
   * neither: they change nothing.
   */
  call(serving: Serving, isUnreadable?: boolean, headers?: Headers): Promise<Outcome>;
}

const dialects = [
  new Dialect({ protocol: 'grpc', http: '2' }),
  new Dialect({ protocol: 'grpc-web', http: '2' }),
  new Dialect({ protocol: 'grpc-web', http: '1.1' }),
  new Dialect({ protocol: 'connect', http: '2' }),
  new Dialect({ protocol: 'connect', http: '2' }, false),
  new Dialect({ protocol: 'connect', http: '1.1' }),
];

/** Methods of the server's own, and those of Echo whose kind they have. */
const standard: [path: string, kind: Method, hasEnd: boolean][] = [
  ['/grpc.health.v1.Health/Check', 'Unary', true],
  ['/grpc.health.v1.Health/Watch', 'ServerStream', false],
  ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', 'Bidi', true],
  ['/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', 'Bidi', true],
];

/** A server under test that can be entered by all of `waysIn`. */
export interface WaysInServing extends Serving {
  /** The methods of Echo that have been called. */
  readonly calls: readonly string[];
}

/** What the server's Echo answers; default: nothing. */
interface WaysInOptions extends Partial<ServingOptions> {
  readonly answer?: (context: HandlerContext, request: { readonly text: string }) => string;
}

/** Serves Echo, and `/here`, which says what Echo answers to a call from within the process. */
export async function serveWaysIn(t: TestContext, options: WaysInOptions): Promise<WaysInServing> {
  const { answer = () => '', ...rest } = options;
  const calls: string[] = [];
  const single = (request: { text: string }, context: HandlerContext) => {
    calls.push(context.method.name);
    return { text: answer(context, request) };
  };
  const fromStream = async (requests: AsyncIterable<EchoRequest>, context: HandlerContext) =>
    single((await all(requests))[0] ?? { text: '' }, context);
  const echo: Partial<ServiceImpl<typeof Echo>> = {
    unary: single,
    get: single,
    clientStream: fromStream,
    async *serverStream(request, context) {
      yield single(request, context);
    },
    async *bidi(requests, context) {
      yield await fromStream(requests, context);
    },
  };
  const serving = await serve(t, echo, { http: (local) => [echoing(createClient(Echo, local))], ...rest });
  return Object.assign(serving, { calls });
}

const echoing = (local: Client<typeof Echo>): HttpResource => ({
  paths: ['/here'],
  methods: ['GET'],
  headers: ['content-type', 'text/plain'],
  async answer(request, response) {
    response.send((await local.unary({}, request.callOptions())).text);
  },
  errorText: ({ rawMessage }) => `${rawMessage}\n`,
});

const echoWay = { isMethod: true, isEcho: true, hasEnd: true };

/**
 * Every way into a server of `serveWaysIn`: protocols, versions of HTTP, methods, plain HTTP, callers within the
 * process.
 */
export const waysIn: readonly WayIn[] = [
  ...dialects.flatMap((dialect) => [
    ...dialect.methods.map((method) => methodWay(dialect, `/test.echo.v1.Echo/${method}`, method, true)),
    ...standard
      .filter(([, kind]) => dialect.methods.includes(kind))
      .map(([path, kind, hasEnd]) => methodWay(dialect, path, kind, hasEnd)),
    ...(dialect.wire.protocol === 'connect' ? [getWay(dialect)] : []),
    ...(dialect.wire.protocol === 'grpc-web'
      ? dialect.methods.map((it) => methodWay(dialect, `/test.echo.v1.Echo/${it}`, it, true, true))
      : []),
  ]),
  ...(['2', '1.1'] as const).flatMap((http) =>
    ['/here', '/healthz', '/readyz'].map((path) => resourceWay(http, path)),
  ),
  ...(['unary', 'serverStream', 'clientStream', 'bidi'] as const).map(localWay),
];

function methodWay(dialect: Dialect, path: string, kind: Method, hasEnd: boolean, isText = false): WayIn {
  const request = (isUnreadable: boolean) => {
    const payload = isUnreadable
      ? Buffer.from([255])
      : dialect.payload({ count: path.includes('Echo') ? 1 : 0 });
    const bytes = { ...dialect.raw(kind, [dialect.framed(kind, payload)]), path };
    return isText ? asText(bytes) : bytes;
  };
  const isEcho = path.includes('Echo');
  const { protocol, http } = dialect.wire;
  const name = `${path} by ${dialect.name}${isText ? ' as text' : ''}`;
  const call = (serving: Serving, isUnreadable = false, headers?: Headers) =>
    callRaw(serving, http, request(isUnreadable), headers);
  return {
    name,
    protocol,
    path,
    isMethod: true,
    isEcho,
    hasEnd,
    words: dialect.isFramed(kind) ? 'rpc' : 'unary',
    call,
  };
}

function getWay({ wire, name }: Dialect): WayIn {
  const path = '/test.echo.v1.Echo/Get';
  const call = (serving: Serving, isUnreadable = false, headers?: Headers) => {
    const query = `encoding=json&message=${isUnreadable ? '!&base64=1' : '{}'}`;
    const request = { method: 'GET', path: `${path}?${query}`, headers: {}, body: [] };
    return callRaw(serving, wire.http, request, headers);
  };
  const title = `${path} by GET, ${name}`;
  return { ...echoWay, name: title, protocol: 'connect', path, words: 'unary', call };
}

function resourceWay(http: '1.1' | '2', path: string): WayIn {
  const name = `${path} by HTTP/${http}`;
  const call = (serving: Serving, _isUnreadable?: boolean, headers?: Headers) =>
    callRaw(serving, http, { method: 'GET', path, headers: {}, body: [] }, headers);
  return { name, protocol: 'http', path, isMethod: false, isEcho: false, hasEnd: true, words: 'http', call };
}

function localWay(method: 'unary' | 'serverStream' | 'clientStream' | 'bidi'): WayIn {
  const path = `/test.echo.v1.Echo/${Echo.method[method].name}`;
  const call = async ({ server }: Serving): Promise<Outcome> => {
    const echo = createClient(Echo, server.local);
    async function* requests() {
      yield { count: 1 };
    }
    try {
      const answer = {
        unary: () => echo.unary({}),
        serverStream: () => all(echo.serverStream({ count: 1 })),
        clientStream: () => echo.clientStream(requests()),
        bidi: () => all(echo.bidi(requests())),
      }[method];
      return { status: '0', message: undefined, http: undefined, said: JSON.stringify(await answer()) };
    } catch (thrown) {
      const { code, rawMessage } = ConnectError.from(thrown);
      return { status: String(code), message: rawMessage, http: undefined, said: '' };
    }
  };
  return { ...echoWay, name: `${path} locally`, protocol: 'local', path, words: 'local', call };
}

async function callRaw(
  serving: Serving,
  http: '1.1' | '2',
  call: RawCall,
  headers: Headers = {},
): Promise<Outcome> {
  const connections = connect(http, serving.port);
  try {
    const raw = await rawCall(connections, { ...call, headers: { ...call.headers, ...headers } });
    const answer = String(raw.headers['content-type']).includes('-text') ? asBytes(raw) : raw;
    const { status, message } = partsOf(answer);
    const texts = [status, message].map((it) => (it === undefined ? undefined : String(it)));
    return { status: texts[0], message: texts[1], http: answer.http, said: answer.body.toString() };
  } finally {
    connections.close();
  }
}

/** Calls by every way at the same time. */
export function callAll(
  serving: Serving,
  ways: readonly WayIn[],
  isUnreadable = false,
  headers: Headers = {},
) {
  return Promise.all(
    ways.map(async (way) => ({ way, outcome: await way.call(serving, isUnreadable, headers) })),
  );
}

/** That the call has ended with this error, as its protocol says it. */
export function assertRefused({ name, words }: WayIn, outcome: Outcome, code: Code, text: string): void {
  const { status, message, http, said } = outcome;
  const httpStatus = httpStatusOf(code);
  if (words === 'http') {
    assert.deepEqual([http, said], [httpStatus, `${text}\n`], name);
    return;
  }
  const expected = { local: undefined, rpc: 200, unary: httpStatus }[words];
  assert.deepEqual({ status, message, http }, { status: String(code), message: text, http: expected }, name);
}

/** Whether a path is a check of health over plain HTTP. */
export const isCheck = (path: string): boolean => path === '/healthz' || path === '/readyz';

/** That each call has a line in the log: health checks over plain HTTP too, since they have failed. */
export async function assertLogged(serving: Serving, code: string): Promise<void> {
  const told = waysIn.map((it) => `${it.protocol} ${it.path} ${code}`);
  await serving.line(() => serving.lines.length >= told.length);
  const lines = serving.lines.map((it) => `${it.protocol} ${it.method} ${it.code}`);
  assert.deepEqual(lines.sort(), told.sort());
}
