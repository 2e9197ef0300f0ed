import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { compiledFiles, readScript } from './compiled-script.ts';

// Writes what V8 makes of the script of this folder, for the Node and the processor that run this. It runs the server
// and calls it, so that what first calls need is compiled too. `npm run build` runs it; for another Node, that one runs
// it again: `node compile.mjs`.
const folder = mkdtempSync(join(tmpdir(), 'compile-'));
const { source, code } = compiledFiles(import.meta.dirname);
const script = readScript(source);
const everywhere = { AUTH: 'none', LOG_LEVEL: 'info', WORKERS: '1' };
const json = '{"user":[{"username":"alexa"}],"username":"alexa"}';
/** The same in protobuf, for GetUsers alone. */
const message = Buffer.from('\n\x07\n\x05alexa', 'latin1');

try {
  await inContainer();
  await inWebFunction();
  // The server has set a flag, and V8 takes only what was made with the flags that it has at a start.
  setFlagsFromString('--allocation-site-pretenuring');
  writeFileSync(code, script.createCachedData());
} finally {
  rmSync(folder, { recursive: true });
}
process.exit(0);

/** As in a container: users in memory, every protocol. */
async function inContainer(): Promise<void> {
  const path = join(folder, 'socket');
  run({ HOST: `unix:${path}`, USERS_STORE: 'memory', LOG_FORMAT: 'json' });
  await untilAnswered(() => get({ socketPath: path, path: '/healthz' }));
  await get({ socketPath: path, path: '/users/?username=alexa' });
  await callsOverHttp({ socketPath: path });
  await callsOverGrpc(() => net.connect(path));
}

/** As in a Web Function: users in a table that has none. */
async function inWebFunction(): Promise<void> {
  const answer = '{"Responses":{"users":[]},"UnprocessedKeys":{}}';
  const table = http.createServer((request, response) =>
    request.resume().on('end', () => response.end(answer)),
  );
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${await listen(table)}`;
  run({
    AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${port}`,
    USERS_STORE: 'dynamodb',
    USERS_TABLE: 'users',
    DYNAMODB_ENDPOINT: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
    LOG_FORMAT: '',
  });
  await untilAnswered(() => get({ host: '127.0.0.1', port, path: '/healthz' }));
  await callsOverHttp({ host: '127.0.0.1', port });
}

/** Starts a server in this process: each run of the script is one of its own. */
function run(settings: Readonly<Record<string, string>>): void {
  Object.assign(process.env, everywhere, settings);
  script.runInThisContext();
}

async function untilAnswered(ask: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await ask();
      return;
    } catch (error) {
      if (tries === 500) throw error;
      await delay(10); // it does not listen yet
    }
  }
}

async function callsOverHttp(at: http.RequestOptions): Promise<void> {
  for (const method of ['GetUsers', 'CreateUser']) {
    await get({ ...at, path: `/Users/${method}`, headers: { 'content-type': 'application/json' } }, json);
  }
  const headers = { 'content-type': 'application/grpc-web+proto', 'grpc-timeout': '5S' };
  await get({ ...at, path: '/Users/GetUsers', headers }, framed(message));
}

/** Whatever is answered. */
async function get(options: http.RequestOptions, body?: string | Buffer): Promise<void> {
  const request = http.request({ ...options, method: body === undefined ? 'GET' : 'POST', agent: false });
  const [response] = await once(request.end(body), 'response');
  await once(response.resume(), 'end');
}

async function callsOverGrpc(createConnection: () => net.Socket): Promise<void> {
  const session = http2.connect('http://localhost', { createConnection });
  for (const method of ['GetUsers', 'CreateUser']) {
    const headers = { ':method': 'POST', ':path': `/Users/${method}`, 'grpc-timeout': '5S' };
    const stream = session.request({ ...headers, 'content-type': 'application/grpc', te: 'trailers' });
    await once(stream.resume().end(framed(message)), 'close');
  }
  session.destroy();
}

function framed(payload: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

async function listen(server: net.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // of a port, not of a pipe
  return port;
}
