import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request of DynamoDB that was refused. */
export interface Throttle {
  readonly table: string;
  readonly isWrite: boolean;
}

/**
 * The way of the tasks to AWS: their requests of DynamoDB go to the table's data, all others to the APIs. It can make
 * DynamoDB slow, and refuse.
 */
export class Door implements AsyncDisposable {
  /** What each request of DynamoDB waits. */
  delayMs = 0;
  /** The part of the requests of DynamoDB that is refused, from 0 to 1. */
  throttledPart = 0;
  /** Whether the table lets a task in, by its address. */
  isDenied: (address: string) => boolean = () => false;
  /** Requests of DynamoDB that were delayed so far, and those that were refused as throttled or denied. */
  readonly touched = { delayed: 0, throttled: 0, denied: 0 };
  /** Called for each request that was refused. */
  onThrottle: (throttle: Throttle) => void = () => {};

  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #dynamodb: string;
  readonly #others: string;
  /** Apart from chance, so that a part of each hundred is refused. */
  #count = 0;

  constructor(dynamodb: string, others: string) {
    this.#dynamodb = dynamodb;
    this.#others = others;
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /** Listens; returns the URL. */
  async listen(address: string): Promise<string> {
    this.#server.listen(0, address);
    await once(this.#server, 'listening');
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('a port was asked for');
    return `http://${address}:${bound.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await buffer(request);
    const target = String(request.headers['x-amz-target'] ?? '');
    const isTable = target.startsWith('DynamoDB_');
    if (isTable) {
      if (this.delayMs > 0) {
        this.touched.delayed++;
        await sleep(this.delayMs);
      }
      if (this.isDenied(request.socket.remoteAddress ?? '')) {
        this.touched.denied++;
        return refuse(response, 'com.amazon.coral.service#AccessDeniedException', 'the role may not do this');
      }
      if (this.#isThrottled()) return this.#throttle(target, body, response);
    }
    const { hostname, port } = new URL(isTable ? this.#dynamodb : this.#others);
    const { method, url: path, headers } = request;
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    http
      .request({ hostname, port, method, path, headers, agent: this.#agent }, resolve)
      .on('error', reject)
      .end(body);
    const answer = await promise;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  }

  #isThrottled(): boolean {
    this.#count++;
    return Math.floor(this.#count * this.throttledPart) > Math.floor((this.#count - 1) * this.throttledPart);
  }

  #throttle(target: string, body: Buffer, response: http.ServerResponse): void {
    const isWrite = /Put|Update|Delete|Write/.test(target);
    const [, single, batched = ''] =
      /"TableName":"([^"]+)"|"RequestItems":\{"([^"]+)"/.exec(body.toString()) ?? [];
    this.touched.throttled++;
    this.onThrottle({ table: single ?? batched, isWrite });
    const type = 'com.amazonaws.dynamodb.v20120810#ThrottlingException';
    refuse(response, type, 'Throughput exceeds the current throughput limit');
  }
}

function refuse(response: http.ServerResponse, __type: string, message: string): void {
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify({ __type, message }));
}
