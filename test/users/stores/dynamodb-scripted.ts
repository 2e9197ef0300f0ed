import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { limits } from '../../../functions/limits.ts';
import { noEvents } from '../../../functions/users/store.ts';
import { DynamoClient, type DynamoClientOptions } from '../../../functions/users/stores/dynamodb-client.ts';
import { listen } from '../../support/listener.ts';

/** A request as it came. */
export interface Asked {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Which one it is, from 1. */
  readonly number: number;
}

/** What a client meets that asks a server of a test's own in DynamoDB's place. */
export interface Scripted {
  readonly client: DynamoClient;
  readonly asked: Asked[];
  /** Every connection that there was. */
  readonly sockets: readonly Socket[];
  readonly port: number;
  readonly events: { retries: number; throttles: number };
}

/** How a server of a test's own is to be. */
export interface ScriptedOptions {
  readonly limits?: Partial<DynamoClientOptions['limits']>;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly credentials?: DynamoClientOptions['credentials'];
  /** By this name it is asked. Default: 127.0.0.1. */
  readonly host?: string;
}

/** Credentials and region that tests have; no file is read. */
export const environment = {
  AWS_ACCESS_KEY_ID: 'key-1',
  AWS_SECRET_ACCESS_KEY: 'secret-1',
  AWS_SESSION_TOKEN: undefined,
  AWS_REGION: 'eu-west-3',
  AWS_PROFILE: undefined,
  AWS_CONFIG_FILE: '/nowhere/config',
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials',
  AWS_ENDPOINT_URL: undefined,
  AWS_ENDPOINT_URL_DYNAMODB: undefined,
};

/** Sets environment variables for one test. */
export function setEnvironment(
  context: TestContext,
  wanted: Readonly<Record<string, string | undefined>>,
): void {
  const before = Object.keys(wanted).map((name) => [name, process.env[name]] as const);
  const set = (entries: readonly (readonly [string, string | undefined])[]) => {
    for (const [name, value] of entries) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(Object.entries(wanted));
  context.after(() => set(before));
}

/** Starts a server that answers as `answer` does, and makes a client of it. Both end with the test. */
export async function scripted(
  context: TestContext,
  answer: (asked: Asked, response: ServerResponse) => void,
  { limits: given, tls, credentials, host = '127.0.0.1' }: ScriptedOptions = {},
): Promise<Scripted> {
  const asked: Asked[] = [];
  const handle = async (message: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const one = { headers: message.headers, body, number: asked.length + 1 };
    asked.push(one);
    answer(one, response);
  };
  const serve = (message: IncomingMessage, response: ServerResponse) => {
    handle(message, response).catch(() => response.destroy());
  };
  const server = tls ? createTlsServer(tls, serve) : createServer(serve);
  const listener = await listen(server);
  const { port, sockets } = listener;
  const events = { retries: 0, throttles: 0 };
  const client = new DynamoClient({
    endpoint: `${tls ? 'https' : 'http'}://${host}:${port}`,
    limits: { ...limits, ...given },
    credentials,
    events: {
      ...noEvents,
      retried() {
        events.retries += 1;
      },
      throttled() {
        events.throttles += 1;
      },
    },
  });
  context.after(async () => {
    await client.close();
    await listener[Symbol.asyncDispose]();
  });
  return { client, asked, sockets, port, events };
}

/** An answer with these fields. */
export function ok(response: ServerResponse, fields: object = {}): void {
  response.end(JSON.stringify(fields));
}

/** A refusal of this type. */
export function refuse(response: ServerResponse, type: string, status = 400): void {
  response.statusCode = status;
  response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: 'scripted' }));
}
