import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { createUsersClient, type UsersClient, type UsersClientOptions } from '../../client/client.ts';

/** A running service, and how to call it. Nothing else is known of it. */
export interface Target extends AsyncDisposable {
  readonly endpoint: string;
  /** PEM. */
  readonly ca?: string;
  readonly serverName?: string;
  readonly token?: string;
}

/** A protocol over an HTTP version. */
export type Way = Required<Pick<UsersClientOptions, 'protocol' | 'httpVersion'>> & { readonly name: string };

/** All ways to call the service. */
export const ways: readonly Way[] = [
  { name: 'gRPC', protocol: 'grpc', httpVersion: '2' },
  { name: 'gRPC-Web over HTTP/2', protocol: 'grpc-web', httpVersion: '2' },
  { name: 'gRPC-Web over HTTP/1.1', protocol: 'grpc-web', httpVersion: '1.1' },
  { name: 'Connect over HTTP/2', protocol: 'connect', httpVersion: '2' },
  { name: 'Connect over HTTP/1.1', protocol: 'connect', httpVersion: '1.1' },
];

/** A client of the target; to be disposed. */
export function open(target: Target, options: UsersClientOptions = {}): UsersClient {
  const { endpoint, ca, serverName, token } = target;
  return createUsersClient({ endpoint, tls: { ca }, serverName, token, ...options });
}

/** A name that no other run of the suite uses, against whatever endpoint. */
export function uniqueName(): string {
  return `e2e-${Date.now().toString(36)}-${randomBytes(5).toString('hex')}`;
}

/**
 * What the environment names: USERS_ENDPOINT, and with it USERS_CA (a PEM file), USERS_SERVER_NAME, USERS_TOKEN.
 *
 * @throws Error if there is no endpoint, or no such file
 */
export function targetFromEnvironment(): Target {
  const { USERS_ENDPOINT, USERS_CA, USERS_SERVER_NAME, USERS_TOKEN } = process.env;
  if (!USERS_ENDPOINT) {
    throw new Error(
      'set USERS_ENDPOINT, such as http://127.0.0.1:50051; and USERS_CA, USERS_SERVER_NAME, USERS_TOKEN',
    );
  }
  return {
    endpoint: USERS_ENDPOINT,
    ca: USERS_CA ? readFileSync(USERS_CA, 'utf8') : undefined,
    serverName: USERS_SERVER_NAME || undefined,
    token: USERS_TOKEN || undefined,
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * Starts a server of its own on a free port, with its users in a folder that goes with it. Disposal ends it as a
 * deployment does, with SIGTERM, and fails if it does not end well.
 *
 * @param main its entry point
 */
export async function startTarget(main: string): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'users-e2e-'));
  const child = spawn(process.execPath, [resolve(main)], {
    env: { PATH: process.env.PATH, PORT: '0', USERS_DATA: folder, USERS_SAMPLES: '1', LOG_FORMAT: 'json' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors = text(child.stderr);
  const closed = once(child, 'close');
  const listening = Promise.withResolvers<number>();
  // Read to the end: a full pipe would stop the server.
  createInterface(child.stdout).on('line', (line) => {
    const { msg, port } = JSON.parse(line);
    if (msg === 'listening') listening.resolve(port);
  });
  closed.then(async () => listening.reject(new Error(`${main} ended: ${await errors}`)));
  const port = await listening.promise;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      const [code, signal] = await closed;
      rmSync(folder, { recursive: true });
      if (code !== 0) throw new Error(`${main} ended with ${code ?? signal}: ${await errors}`);
    },
  };
}
