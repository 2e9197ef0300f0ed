import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Addresses for benchmarks (RFC 2544, appendix C.2.2); only the two ends of a link know them. */
const addresses = { client: '198.18.0.1', server: '198.18.0.2' };

/** Where programs in Go are: our link, and a client and a server on grpc-go. */
export interface GoPrograms {
  readonly link: string;
  readonly client: string;
  readonly server: string;
}

/** Builds them where that has not been done. @throws Error when Go is missing */
export function buildGo(): GoPrograms {
  const build = fileURLToPath(new URL('../go/build', import.meta.url));
  const server = execFileSync(build, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  return { link: join(dirname(server), 'link'), client: join(dirname(server), 'client'), server };
}

/** How long the path between the two ends of a link is. */
export interface Path {
  readonly roundTripMs: number;
  /** In each direction. Zero: as fast as it goes. */
  readonly mbit: number;
}

/** Two network namespaces that reach each other, and nothing else, over a path with a delay. */
export class Link implements AsyncDisposable {
  /** The address of the server's end. */
  readonly serverAddress = addresses.server;
  readonly #child: ChildProcess;
  readonly #namespaces: { readonly client: string; readonly server: string };

  private constructor(child: ChildProcess, client: string, server: string) {
    this.#child = child;
    this.#namespaces = { client, server };
  }

  /** Makes them. @throws Error when it may not, or the kernel has no TUN devices */
  static async open(program: string, { roundTripMs, mbit }: Path): Promise<Link> {
    const options = { delay: `${roundTripMs / 2}ms`, mbit, ...addresses };
    const args = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const reason = text(child.stderr);
    const namespaces: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      namespaces.push(line);
      if (namespaces.length === 2) break;
    }
    const [client, server] = namespaces;
    if (client === undefined || server === undefined) throw new Error((await reason).trim());
    return new Link(child, client, server);
  }

  /**
   * The command that runs another at an end of the link. It ends with this process, however that ends: it would keep
   * its namespace.
   */
  at(end: 'client' | 'server', core: string, command: readonly string[]): [string, ...string[]] {
    const enter = ['nsenter', `--net=${this.#namespaces[end]}`, 'setpriv', '--pdeathsig', 'KILL'] as const;
    return [...enter, 'taskset', '-c', core, ...command];
  }

  /** Ends the link. The kernel removes the namespaces and their devices with the last program in them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin?.end();
    await exited;
  }
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}
