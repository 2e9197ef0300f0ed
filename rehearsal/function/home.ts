import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials } from '../aws.ts';
import { root } from '../cdk.ts';
import type { Deployed } from '../deployed.ts';
import type { Endpoint } from '../endpoint.ts';
import { TableData } from '../table-data.ts';
import type { Ended } from './environment.ts';
import { domainName, FunctionPlatform, type PlatformOptions } from './platform.ts';
import type { Revision } from './revision.ts';
import { synthesize } from './synthesized.ts';

/** What differs from what is deployed, so that a short rehearsal sees several environments come and go. */
const shortened = { callsPerEnvironment: 4, idleMs: 2_000 };

/** How long calls under way are waited for, and environments that end, at most. */
const mostWaitMs = 30_000;

/** A function as it runs: its table, its key in Secrets Manager, and the platform in front. */
export class FunctionHome implements AsyncDisposable {
  readonly stack: string;
  readonly deployed: Deployed;
  readonly platform: FunctionPlatform;
  /** What lets callers in; undefined where the stack has no key. */
  readonly token: string | undefined;
  /** A DynamoDB that refuses every request, as it does a role without rights. */
  readonly deniedUrl: string;
  readonly #resources: AsyncDisposableStack;
  readonly #revision: Revision;
  #version = 0;

  private constructor(
    parts: { stack: string; deployed: Deployed; revision: Revision; deniedUrl: string },
    platform: FunctionPlatform,
    token: string | undefined,
    resources: AsyncDisposableStack,
  ) {
    this.stack = parts.stack;
    this.deployed = parts.deployed;
    this.deniedUrl = parts.deniedUrl;
    this.platform = platform;
    this.token = token;
    this.#revision = parts.revision;
    this.#resources = resources;
  }

  /**
   * Synthesises the stack with these options, makes its table, and serves its revision. Nothing runs yet.
   *
   * @throws NotRun when something is missing
   */
  static async open(context: Readonly<Record<string, string>>, folder: string): Promise<FunctionHome> {
    const { stack, deployed, revision, options } = await synthesize(context, folder);
    await using opening = new AsyncDisposableStack();
    const data = opening.use(await TableData.start(root));
    await data.make(deployed);
    const hasKey = revision.environment.API_KEY_SECRET !== undefined;
    const token = hasKey ? randomBytes(32).toString('hex') : undefined;
    const secrets = opening.use(await answering(200, { SecretString: token ?? '' }));
    const denial = { __type: 'com.amazon.coral.service#AccessDeniedException', Message: 'not authorized' };
    const denied = opening.use(await answering(400, denial));
    const served = {
      ...revision,
      environment: {
        ...revision.environment,
        ...credentials,
        DYNAMODB_ENDPOINT: data.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      },
    };
    const limits: PlatformOptions = { ...options, ...shortened };
    const platform = opening.use(await FunctionPlatform.start(served, limits));
    const parts = { stack, deployed, revision: served, deniedUrl: denied.url };
    return new FunctionHome(parts, platform, token, opening.move());
  }

  /** Where the function is called. */
  get endpoint(): Endpoint {
    const { endpoint: url, ca } = this.platform;
    return { url, ca, serverName: domainName, token: this.token };
  }

  /**
   * Serves another revision from now on.
   *
   * @param environment what is different in its environment. Default: a variable that nothing reads
   */
  deploy(environment: Readonly<Record<string, string>> = {}): void {
    const REHEARSAL_VERSION = String(++this.#version);
    const changed = { ...this.#revision.environment, REHEARSAL_VERSION, ...environment };
    this.platform.deploy({ ...this.#revision, environment: changed });
  }

  /** Waits until the environments that get no requests any more are over. Returns how those ended, and others since. */
  async formerEnd(from: number): Promise<readonly Ended[]> {
    await this.#waits('environments do not end', () => this.platform.endingCount === 0);
    return this.platform.ends.slice(from);
  }

  /** Waits until nothing runs. */
  async sleeps(): Promise<void> {
    const { platform } = this;
    await this.#waits(
      'environments do not end though nobody calls',
      () => platform.environments.size + platform.endingCount === 0,
    );
  }

  /** Kills an environment that serves. */
  async killOne(): Promise<void> {
    await this.#waits('no environment serves', () => this.#serving().length > 0);
    const [one] = this.#serving();
    await one?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  #serving() {
    return [...this.platform.environments].filter((it) => it.isListening && it.running > 0);
  }

  async #waits(otherwise: string, isSo: () => boolean): Promise<void> {
    const untilMs = performance.now() + mostWaitMs;
    while (!isSo()) {
      if (performance.now() > untilMs) throw new Error(`${otherwise}, after ${mostWaitMs / 1000} s`);
      await sleep(5);
    }
  }
}

/** Stands in for an API of AWS that answers every request alike. */
async function answering(status: number, body: object): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', connection: 'close' });
    response.end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a port was asked for');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
