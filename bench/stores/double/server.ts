import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { Actions, type Request } from './actions.ts';
import { type PartitionLimits, partitionLimits } from './capacity.ts';
import { Failure, throttled } from './failure.ts';
import { type Counts, type Faults, Meter, noFaults } from './meter.ts';
import { type IndexShape, Table } from './table.ts';

/** What a double may be told, at any time. */
export type DoubleSettings = Faults & PartitionLimits;

/** A double of DynamoDB that listens. */
export interface Double {
  readonly url: string;
  readonly port: number;
  counts(): Counts;
  /** What is not named is as at the start. */
  set(settings: Partial<DoubleSettings>): void;
  close(): Promise<void>;
}

/** The index of the users' table. */
const usersByName: IndexShape = { name: 'users-by-name', hash: 'initial', range: 'pk' };

/** Fields of the requests about tables. */
interface TableRequest {
  readonly TableName?: string;
  readonly GlobalSecondaryIndexes?: readonly {
    readonly IndexName: string;
    readonly KeySchema: readonly { readonly AttributeName: string }[];
  }[];
}

/**
 * Starts a double of DynamoDB that answers at once, from memory: a bench of what is in front of it. It checks no
 * signature. It speaks JSON 1.0 over HTTP/1.1 as DynamoDB does, knows the actions that the store and its tests need,
 * and counts what they cost. `GET /counts` and `PUT /settings` do over HTTP what `counts` and `set` do here.
 *
 * @param tables users' tables that are there from the start
 * @param port default: a free one
 * @param nowMs the time by which partitions get their units. Default: `performance.now`
 */
export async function openDouble(
  tables: readonly string[],
  port = 0,
  nowMs = () => performance.now(),
): Promise<Double> {
  const meter = new Meter();
  const actions = new Actions(meter);
  let limits = partitionLimits;
  const make = (name: string, index: IndexShape | undefined) =>
    actions.tables.set(name, new Table(name, index, limits, nowMs));
  for (const name of tables) make(name, usersByName);

  const onTables: Readonly<Record<string, (request: TableRequest, name: string) => object>> = {
    CreateTable({ GlobalSecondaryIndexes: [index] = [] }, name) {
      if (actions.tables.has(name)) throw new Failure('ResourceInUseException', `${name} exists`);
      const [hash, range] = index?.KeySchema ?? [];
      make(
        name,
        index && {
          name: index.IndexName,
          hash: hash?.AttributeName ?? '',
          range: range?.AttributeName ?? '',
        },
      );
      return { TableDescription: { TableName: name, TableStatus: 'ACTIVE' } };
    },
    DescribeTable(_, name) {
      const { index, size } = actions.table(name);
      const indexes = index && { GlobalSecondaryIndexes: [{ IndexName: index.name, IndexStatus: 'ACTIVE' }] };
      return { Table: { TableName: name, TableStatus: 'ACTIVE', ItemCount: size, ...indexes } };
    },
    DeleteTable(_, name) {
      actions.table(name);
      actions.tables.delete(name);
      return { TableDescription: { TableName: name, TableStatus: 'DELETING' } };
    },
    UpdateTimeToLive: () => ({}),
  };

  function answer(action: string, body: string): object {
    meter.requested(action);
    if (meter.fails()) throw new Failure('InternalServerError', 'injected', {}, 500);
    if (meter.throttles()) throw throttled();
    // A wire boundary: what a request lacks is missed where it is used.
    const request = JSON.parse(body) as Request & TableRequest;
    const onTable = onTables[action];
    return onTable ? onTable(request, request.TableName) : actions.act(action, request);
  }

  function set(settings: Partial<DoubleSettings>): void {
    meter.faults = { ...noFaults, ...settings };
    limits = { ...partitionLimits, ...settings };
    for (const table of actions.tables.values()) table.limit(limits);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (request.method === 'GET') return send(response, 200, meter.counts());
    if (request.method === 'PUT') {
      set(JSON.parse(body));
      return send(response, 200, {});
    }
    const [, action = ''] = String(request.headers['x-amz-target']).split('.');
    if (meter.faults.delayMs > 0) await delay(meter.faults.delayMs);
    try {
      send(response, 200, answer(action, body));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.type === 'ProvisionedThroughputExceededException') meter.throttled();
      const type = `com.amazonaws.dynamodb.v20120810#${error.type}`;
      send(response, error.status, { __type: type, message: error.message, ...error.fields });
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error(error);
      response.destroy();
    });
  });
  // Clients keep their connections; a server that ends one at the wrong moment would look like a fault.
  server.keepAliveTimeout = 0;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const listens = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${listens}`,
    port: listens,
    counts: () => meter.counts(),
    set,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

let answered = 0;

/** With the headers that DynamoDB sends; SDKs check the sum. */
function send(response: ServerResponse, status: number, fields: object): void {
  const body = Buffer.from(JSON.stringify(fields));
  answered += 1;
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': body.length,
    'x-amzn-requestid': `DOUBLE${answered}`,
    'x-amz-crc32': crc32(body),
  });
  response.end(body);
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
