import { join } from 'node:path';
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { credentials } from './aws.ts';
import { attempt, CommandFailed, run } from './command.ts';
import type { Deployed } from './deployed.ts';
import { isSet } from './template.ts';
import { NotRun } from './tools.ts';

/** The data of the tables, in Amazon's own DynamoDB Local: moto answers too few requests to be called under load. */
export class TableData implements AsyncDisposable {
  readonly url: string;

  readonly #script: string;
  readonly #pid: string;
  readonly #made = new Set<string>();

  private constructor(url: string, pid: string, script: string) {
    this.url = url;
    this.#pid = pid;
    this.#script = script;
  }

  /** @throws NotRun when it can't be had: Maven brings it, once */
  static async start(root: string): Promise<TableData> {
    const script = join(root, '.ci/dynamodb');
    const said = await run(script, ['start']).catch((error) => {
      throw error instanceof CommandFailed ? new NotRun(`DynamoDB Local: ${error.message}`) : error;
    });
    const [, url = ''] = /DYNAMODB_ENDPOINT=(\S+)/.exec(said) ?? [];
    const [, pid = ''] = /DYNAMODB_PID=(\d+)/.exec(said) ?? [];
    return new TableData(url, pid, script);
  }

  /** Makes the tables of a stack that are not there yet. */
  async make(deployed: Deployed): Promise<void> {
    const client = new DynamoDBClient({
      endpoint: this.url,
      region: credentials.AWS_REGION,
      credentials: {
        accessKeyId: credentials.AWS_ACCESS_KEY_ID,
        secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY,
      },
    });
    try {
      const tables = [...deployed.all('AWS::DynamoDB::GlobalTable'), ...deployed.all('AWS::DynamoDB::Table')];
      for (const { id: TableName, properties } of tables.filter((it) => !this.#made.has(it.id))) {
        const indexes = properties.GlobalSecondaryIndexes?.map(({ IndexName, KeySchema, Projection }) => {
          return { IndexName, KeySchema, Projection };
        });
        const input = {
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          KeySchema: properties.KeySchema,
          AttributeDefinitions: properties.AttributeDefinitions,
          GlobalSecondaryIndexes: indexes,
        };
        // The wire: CloudFormation and DynamoDB name these alike.
        await client.send(new CreateTableCommand(input as CreateTableCommandInput));
        const { AttributeName, Enabled } = properties.TimeToLiveSpecification ?? {};
        if (AttributeName && isSet(Enabled)) {
          const TimeToLiveSpecification = { AttributeName, Enabled: true };
          await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
        }
        this.#made.add(TableName);
      }
    } finally {
      client.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await attempt('env', [`DYNAMODB_PID=${this.#pid}`, this.#script, 'stop']);
  }
}
