import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request of the client's. */
export interface Passing {
  /** The action, such as `BatchGetItem`. */
  readonly action: string;
  readonly body: string;
  /** Which request of this action it is, from 1. */
  readonly number: number;
}

/**
 * What happens to a request: `pass`; `hang`: it never gets an answer; `lose`: it is carried out, but the
 * connection breaks before the answer; `stall`: the answer begins and never ends; an answer instead of the
 * endpoint's; or other JSON for either direction.
 */
export type Fault =
  | 'pass'
  | 'hang'
  | 'lose'
  | 'stall'
  | { readonly status: number; readonly type: string; readonly fields?: object }
  | { readonly request: string; readonly answer: (answer: Record<string, unknown>) => unknown };

/** A proxy in front of a DynamoDB endpoint. */
export interface DynamoProxy {
  readonly url: string;
  /** The requests that came, by action. */
  readonly seen: Map<string, number>;
  /** Replaces what decides over requests. */
  fault: (passing: Passing) => Fault;
  /** How many connections are open to it. */
  connections(): Promise<number>;
  /** Resolves when a request that gets no answer has been given up by its client. */
  readonly givenUp: Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a real HTTP proxy that lets everything through but what a test breaks. Signatures cover the host, but
 * DynamoDB Local does not check them.
 */
export async function dynamoProxy(endpoint: string): Promise<DynamoProxy> {
  const givenUp = Promise.withResolvers<void>();
  const seen = new Map<string, number>();

  function forward(message: IncomingMessage, body: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const headers = { ...message.headers, 'content-length': String(Buffer.byteLength(body)) };
      const outgoing = request(endpoint, { method: 'POST', headers, agent: false }, async (answer) => {
        resolve({ status: answer.statusCode ?? 500, body: await text(answer) });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(message);
    const action = String(message.headers['x-amz-target']).replace(/^.*\./, '');
    const number = (seen.get(action) ?? 0) + 1;
    seen.set(action, number);
    const fault = proxy.fault({ action, body, number });
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    if (fault === 'hang' || fault === 'stall') {
      message.socket.once('close', () => givenUp.resolve());
      if (fault === 'stall') response.writeHead(200, { 'content-length': '1000' }).write('{');
    } else if (fault === 'lose') {
      await forward(message, body);
      message.socket.destroy();
    } else if (fault === 'pass') {
      const answer = await forward(message, body);
      response.writeHead(answer.status).end(answer.body);
    } else if ('status' in fault) {
      const type = `com.amazonaws.dynamodb.v20120810#${fault.type}`;
      response.writeHead(fault.status);
      response.end(JSON.stringify({ __type: type, message: 'injected', ...fault.fields }));
    } else {
      const answer = await forward(message, fault.request);
      response.writeHead(answer.status).end(JSON.stringify(await fault.answer(JSON.parse(answer.body))));
    }
  }

  const server = createServer((message, response) => {
    handle(message, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  const proxy: DynamoProxy = {
    url: `http://127.0.0.1:${port}`,
    seen,
    fault: () => 'pass',
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    givenUp: givenUp.promise,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}

async function text(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
