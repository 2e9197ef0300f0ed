import type { DescMessage, DescMethod } from '@bufbuild/protobuf';
import { fillMarks, isSecretMetadata } from './secret-name.ts';
import { authorityFile, hasOwnAuthority, type WrittenCall } from './written-call.ts';

/** The call as a program in TypeScript, with connect's client and the code that `npm run generate` makes. */
export function typescriptCode(call: WrittenCall): string {
  const { method, request, endpoint, deadlineMs } = call;
  const service = method.parent.name;
  const schema = `${method.input.name}Schema`;
  const streams = method.methodKind !== 'unary';
  const headers = headersOf(call).map(([name, value]) =>
    value === undefined
      ? `    [${JSON.stringify(name)}, ${tokenIn(name, "readFileSync('FILE', 'utf8').trim()")}],`
      : `    [${JSON.stringify(name)}, ${JSON.stringify(value)}],`,
  );
  const options = [
    ...(deadlineMs === undefined ? [] : [`  timeoutMs: ${deadlineMs},`]),
    ...(headers.length === 0 ? [] : ['  headers: [', ...headers, '  ],']),
  ];
  const given = options.length === 0 ? '' : `, {\n${options.join('\n')}\n}`;
  const isClientStream = !isSingle(method);
  const ca = hasOwnAuthority(call) ? `, nodeOptions: { ca: readFileSync('${authorityFile}') }` : '';
  const lines = [
    "import { fromJson } from '@bufbuild/protobuf';",
    "import { createClient } from '@connectrpc/connect';",
    "import { createGrpcTransport } from '@connectrpc/connect-node';",
    `import { ${service} } from './proto/gen/${method.parent.file.name}_pb.js';`,
    `import { ${schema} } from './proto/gen/${method.input.file.name}_pb.js';`,
    '',
    `const client = createClient(${service}, createGrpcTransport({ baseUrl: ${JSON.stringify(endpoint)}${ca} }));`,
    `const request = fromJson(${schema}, ${fillMarks(JSON.stringify(request, null, 2), readFile)});`,
    ...(isClientStream ? ['async function* requests() {', '  yield request;', '}'] : []),
    ...callOf(method, isClientStream ? 'requests()' : 'request', given, streams),
  ].join('\n');
  return lines.includes('readFileSync(') ? `import { readFileSync } from 'node:fs';\n${lines}` : lines;
}

function readFile(name: string): string {
  return `readFileSync('${name}.txt', 'utf8').trim()`;
}

function callOf(method: DescMethod, request: string, given: string, streams: boolean): string[] {
  const call = `client.${method.localName}(${request}${given})`;
  if (!streams || method.methodKind === 'client_streaming') return [`console.log(await ${call});`];
  return [`for await (const message of ${call}) {`, '  console.log(message);', '}'];
}

/** The call as a program in Python, with grpcio and the stubs of `grpc_tools.protoc`. */
export function pythonCode(call: WrittenCall): string {
  const { method, request, endpoint, deadlineMs } = call;
  const { host, protocol } = new URL(endpoint);
  const secure = protocol === 'https:';
  const messages = moduleOf(method.input);
  const metadata = headersOf(call).map(([name, value]) => {
    const text = value ?? '';
    const said = value === undefined ? tokenIn(name, "open('FILE').read().strip()") : JSON.stringify(text);
    return `(${JSON.stringify(name.toLowerCase())}, ${said})`;
  });
  const options = [
    ...(deadlineMs === undefined ? [] : [`timeout=${deadlineMs / 1000}`]),
    ...(metadata.length === 0 ? [] : [`metadata=[${metadata.join(', ')}]`]),
  ];
  const argument = isSingle(method) ? 'request' : 'iter([request])';
  const called = `stub.${method.name}(${[argument, ...options].join(', ')})`;
  const streams = method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming';
  const ca = hasOwnAuthority(call) ? `open('${authorityFile}', 'rb').read()` : '';
  // JSON within a text of Python: a text of JSON is one of Python too.
  const json = fillMarks(
    JSON.stringify(JSON.stringify(request)),
    (name) => `" + json.dumps(open('${name}.txt').read().strip()) + "`,
  );
  const address = JSON.stringify(/:\d+$/.test(host) ? host : `${host}:${secure ? 443 : 80}`);
  return [
    ...(json.includes('json.dumps(') ? ['import json', ''] : []),
    'import grpc',
    'from google.protobuf import json_format',
    `import ${moduleOf(method.parent)}_grpc as services`,
    `import ${messages} as messages`,
    '',
    secure
      ? `channel = grpc.secure_channel(${address}, grpc.ssl_channel_credentials(${ca}))`
      : `channel = grpc.insecure_channel(${address})`,
    `stub = services.${method.parent.name}Stub(channel)`,
    `request = json_format.Parse(${json}, messages.${method.input.name}())`,
    ...(streams ? [`for message in ${called}:`, '    print(message)'] : [`print(${called})`]),
  ].join('\n');
}

/** Names and values; without a value it may be secret, and comes from a file. */
function headersOf({
  metadata,
  hasToken,
}: WrittenCall): (readonly [name: string, value: string | undefined])[] {
  const own = metadata
    .filter(([name]) => !(hasToken && name.toLowerCase() === 'authorization'))
    .map(([name, value]) => [name, isSecretMetadata(name) ? undefined : value] as const);
  return hasToken ? [['authorization', undefined], ...own] : own;
}

/** Code that reads a secret: the token, with its scheme, or the value of other metadata. */
function tokenIn(name: string, code: string): string {
  const isToken = name.toLowerCase() === 'authorization';
  const read = code.replace('FILE', isToken ? 'key.txt' : `${name}.txt`);
  return isToken ? `'Bearer ' + ${read}` : read;
}

function isSingle({ methodKind }: DescMethod): boolean {
  return methodKind === 'unary' || methodKind === 'server_streaming';
}

/** The module that Python's generator makes of a file: `users_types_pb2`. */
function moduleOf({ file }: Pick<DescMessage, 'file'>): string {
  return `${file.name.replaceAll('/', '.').replaceAll('-', '_')}_pb2`;
}
