import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createUsersClient } from '../../client/client.ts';
import { MissingTool, run } from '../conformance/tool.ts';
import { ServerProcess } from '../support/process.ts';
import { writeTlsFiles } from './server.ts';

/** nginx, as nginx.conf beside this file says, in front of two servers that keep the same users. */
export class Proxied implements AsyncDisposable {
  /** nginx's, by https. */
  readonly endpoint: string;
  /** The authority of nginx's certificate, PEM. */
  readonly ca: string;
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #servers: ServerProcess[] = [];
  readonly #nginx: ChildProcessByStdio<null, null, Readable>;
  #errors = '';

  private constructor(folder: string, ca: string, confFile: string, [port, ...ports]: readonly number[]) {
    this.endpoint = `https://127.0.0.1:${port}`;
    this.ca = ca;
    this.#folder = folder;
    this.#ports = ports;
    this.#nginx = spawn('nginx', ['-c', confFile, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#nginx.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  /**
   * Starts all three, and waits until nginx answers. Its addresses are of 127.0.0.1.
   *
   * @throws MissingTool without nginx
   */
  static async start(): Promise<Proxied> {
    if ((await run('sh', ['-c', 'command -v nginx'])).code !== 0) {
      throw new MissingTool('nginx is missing (Debian: apt-get install nginx)');
    }
    const folder = mkdtempSync(join(tmpdir(), 'users-nginx-'));
    const ports = await freePorts(3);
    const tls = await writeTlsFiles(folder);
    const values: Record<string, unknown> = {
      ...{ FOLDER: folder, CERT: tls.certFile, KEY: tls.keyFile },
      ...{ PORT: ports[0], FIRST: ports[1], SECOND: ports[2] },
    };
    const template = readFileSync(join(import.meta.dirname, 'nginx.conf'), 'utf8');
    const confFile = join(folder, 'nginx.conf');
    writeFileSync(
      confFile,
      template.replace(/\{([A-Z]+)\}/g, (_, name: string) => String(values[name] ?? assert.fail(name))),
    );
    const proxied = new Proxied(folder, tls.ca, confFile, ports);
    try {
      await proxied.#startServers();
      await proxied.#answers();
      return proxied;
    } catch (error) {
      await proxied[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends the first or second server as a deployment does, with SIGTERM, and fails if it does not end well. */
  async end(index: 0 | 1): Promise<void> {
    await this.#servers[index]?.stop();
  }

  /** Starts a server in the place of one that has ended. */
  async replace(index: 0 | 1): Promise<void> {
    const server = this.#startServer(index);
    this.#servers[index] = server;
    await server.url();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#nginx.kill('SIGTERM');
    if (this.#nginx.exitCode === null) await once(this.#nginx, 'exit');
    for (const server of this.#servers) await server.kill();
    rmSync(this.#folder, { recursive: true });
  }

  async #startServers(): Promise<void> {
    // One after the other: the first makes the file of the users.
    for (const index of [0, 1] as const) await this.replace(index);
  }

  #startServer(index: 0 | 1): ServerProcess {
    return new ServerProcess({
      settings: {
        USERS_DATA: join(this.#folder, 'data'),
        PORT: String(this.#ports[index]),
        TRUSTED_PROXIES: '1',
        AUTH: 'none',
      },
    });
  }

  async #answers(): Promise<void> {
    using users = createUsersClient({ endpoint: this.endpoint, tls: { ca: this.ca } });
    await users.ready({ timeoutMs: 10_000 }).catch((cause) => {
      throw new Error(`nginx does not answer: ${this.#errors}`, { cause });
    });
  }
}

/** Ports of 127.0.0.1 that nobody listens at. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(listeners.map((it) => once(it, 'listening')));
  const ports = listeners.map((it) => (it.address() as AddressInfo).port); // of a server on a port
  await Promise.all(listeners.map((it) => once(it.close(), 'close')));
  return ports;
}
