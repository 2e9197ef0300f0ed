import { Code } from '@connectrpc/connect';
import type { Case, Difference, Part } from './case.ts';
import { Dialect } from './dialect.ts';

/** connect-node answers these with an HTTP status alone. */
const bareHttp = (why: string, ourStatus: string | undefined, ...parts: Part[]): Difference => ({
  why,
  parts: ['status', 'headers', 'messages', ...parts],
  ourStatus,
});

const parameters =
  'A content type may have parameters (RFC 9110 section 8.3): ours takes it, connect-node answers 415.';

/** A request that is no call is refused by the same status as stock, and in words: what would be taken. */
export const inWords: Difference = {
  why: 'Ours says in words what would be taken.',
  parts: ['headers', 'messages'],
  ourStatus: undefined,
};

const contentTypes = (dialect: Dialect): Case[] => {
  const { protocol } = dialect.wire;
  const json = new Dialect(dialect.wire, false);
  const call = (type: string) => dialect.one('Unary', {}, { 'content-type': type });
  return [
    { name: 'content type in capitals', call: call(dialect.contentType('Unary').toUpperCase()) },
    {
      name: 'content type with a parameter',
      call: call(`${dialect.contentType('Unary')};charset=latin1`),
      differs: bareHttp(parameters, '0', 'http', 'observed'),
    },
    {
      name: 'content type of JSON with a parameter',
      call: json.one('Unary', {}, { 'content-type': `${json.contentType('Unary')}; x=y` }),
      differs: bareHttp(parameters, '0', 'http', 'observed'),
    },
    ...otherTypes[protocol].map((type) => ({
      name: `content type ${type || 'empty'}`,
      call: call(type),
      differs: inWords,
    })),
  ];
};

const otherTypes = {
  grpc: ['application/grpc+thrift', 'application/grpcx', 'application/json+grpc'],
  'grpc-web': ['application/grpc-web+thrift', 'application/grpc-webx', 'application/grpc-web-texts'],
  connect: ['application/connect+proto', 'application/x-protobuf', 'text/plain', ''],
};

const httpMethods = (dialect: Dialect): Case[] =>
  ['GET', 'HEAD', 'PUT', 'OPTIONS'].map((method) => ({
    name: `HTTP method ${method}`,
    call: dialect.raw('Unary', [], {}, { method }),
    differs: method === 'HEAD' ? { ...inWords, parts: ['headers'] } : inWords,
  }));

const unimplemented = String(Code.Unimplemented);
const paths = (dialect: Dialect): Case[] => [
  { name: 'a method without an implementation', call: dialect.one('Missing', {}) },
  ...[
    '/test.echo.v1.Echo/Nothing',
    '/test.echo.v1.Nobody/Unary',
    '/test.echo.v1.echo/unary',
    '/test.echo.v1.Echo/Unary/',
    '/Unary',
    '/',
  ].map((path) => ({
    name: `path ${path}`,
    call: { ...dialect.one('Unary', {}), path },
    differs: unknownMethod(dialect),
  })),
];

function unknownMethod({ wire }: Dialect): Difference {
  const why = 'Each protocol has words for unknown methods: connect-node answers 404 without any.';
  const parts: Part[] = wire.protocol === 'connect' ? ['message'] : ['message', 'http'];
  return bareHttp(why, unimplemented, ...parts);
}

/** What the first lines of a request say: content types, HTTP methods and paths, good and bad. */
export const headCases = (dialect: Dialect): Case[] => [
  ...contentTypes(dialect),
  ...httpMethods(dialect),
  ...paths(dialect),
];

/** What those have that gRPC is not. */
export const webHeadCases = (dialect: Dialect): Case[] => [
  { name: 'a path with a query', call: dialect.one('Unary?a=b', {}) },
  ...(dialect.wire.http === '2'
    ? []
    : [{ name: 'streams in both directions', call: dialect.one('Bidi', {}), differs: inWords }]),
  ...['1', '2', ''].map((version) => ({
    name: `version ${version || 'empty'} of Connect`,
    call: dialect.one('Unary', {}, { 'connect-protocol-version': version }),
  })),
];

/** What gRPC alone has: te, and paths without queries. */
export const grpcHeadCases = (dialect: Dialect): Case[] => [
  {
    name: 'the shorter content type',
    call: dialect.one('Unary', {}, { 'content-type': 'application/grpc' }),
    differs: {
      why: 'Ours answers with the content type that was asked; stock always says application/grpc+proto.',
      parts: ['headers'],
      ourStatus: '0',
    },
  },
  { name: 'no te header', call: dialect.one('Unary', {}, { te: undefined }) },
  {
    name: 'a path with a query',
    call: dialect.one('Unary?a=b', {}),
    differs: {
      why: 'gRPC paths are "/" service "/" method and nothing else; connect-node drops the query.',
      parts: ['status', 'message', 'messages', 'observed'],
      ourStatus: unimplemented,
    },
  },
];
