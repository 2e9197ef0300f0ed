import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createUsersClient } from '../../client/client.ts';
import { ServerProcess } from '../support/process.ts';
import { writeTlsFiles } from './server.ts';

/** Health watches that each server takes of a client: few, so that a check can reach their number. */
export const watchesPerClient = 4;

/** Where a proxy listens, and what it stands before. */
export interface Places {
  /** For what the proxy writes, and its settings. */
  readonly folder: string;
  readonly port: number;
  /** PEM files. */
  readonly certFile: string;
  readonly keyFile: string;
  /** The paths of the servers' sockets. */
  readonly sockets: readonly [string, string];
}

/** What is started in front of the servers. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
}

/** A proxy in front of two servers that keep the same users, each at a socket of this machine. */
export class Proxied implements AsyncDisposable {
  /** The proxy's, by https. */
  readonly endpoint: string;
  /** The authority of the proxy's certificate, PEM. */
  readonly ca: string;
  readonly servers: ServerProcess[] = [];
  readonly #places: Places;
  readonly #settings: NodeJS.ProcessEnv;
  readonly #proxy: ChildProcessByStdio<null, null, Readable>;
  #errors = '';

  private constructor(places: Places, ca: string, { command, args }: Launch, settings: NodeJS.ProcessEnv) {
    this.endpoint = `https://127.0.0.1:${places.port}`;
    this.ca = ca;
    this.#places = places;
    this.#settings = settings;
    this.#proxy = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#proxy.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  /**
   * Starts all three, and waits until the proxy answers.
   *
   * @param make writes the proxy's settings, and says how it is started
   * @param settings of the servers, further ones
   */
  static async start(make: (places: Places) => Launch, settings: NodeJS.ProcessEnv = {}): Promise<Proxied> {
    const folder = mkdtempSync(join(tmpdir(), 'users-proxied-'));
    const tls = await writeTlsFiles(folder);
    const sockets = [join(folder, '1.sock'), join(folder, '2.sock')] as const;
    const places: Places = { folder, port: await freePort(), ...tls, sockets };
    const proxied = new Proxied(places, tls.ca, make(places), settings);
    try {
      // One after the other: the first makes the file of the users.
      for (const index of [0, 1] as const) await proxied.replace(index);
      await proxied.#answers();
      return proxied;
    } catch (error) {
      await proxied[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends the first or second server as a deployment does, with SIGTERM, and fails if it does not end well. */
  async end(index: 0 | 1): Promise<void> {
    await this.servers[index]?.stop();
  }

  /** Starts a server in the place of one that has ended. */
  async replace(index: 0 | 1): Promise<void> {
    const server = new ServerProcess({
      settings: {
        USERS_DATA: join(this.#places.folder, 'data'),
        HOST: `unix:${this.#places.sockets[index]}`,
        TRUSTED_PROXIES: '1',
        AUTH: 'none',
        MAX_WATCHES_PER_CLIENT: String(watchesPerClient),
        ...this.#settings,
      },
    });
    this.servers[index] = server;
    await server.line('listening');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#proxy.kill('SIGTERM');
    if (this.#proxy.exitCode === null && this.#proxy.signalCode === null) await once(this.#proxy, 'exit');
    for (const server of this.servers) await server.kill();
    rmSync(this.#places.folder, { recursive: true });
  }

  async #answers(): Promise<void> {
    using users = createUsersClient({ endpoint: this.endpoint, tls: { ca: this.ca } });
    await users.ready({ timeoutMs: 10_000 }).catch((cause) => {
      throw new Error(`the proxy does not answer: ${this.#errors}`, { cause });
    });
  }
}

/** A port of 127.0.0.1 that nobody listens at. */
async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo; // of a server on a port
  await once(listener.close(), 'close');
  return port;
}
