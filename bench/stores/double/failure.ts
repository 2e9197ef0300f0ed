/** An answer of DynamoDB that is an error: its type, and what it says besides. */
export class Failure extends Error {
  readonly type: string;
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(type: string, message: string, fields: Readonly<Record<string, unknown>> = {}, status = 400) {
    super(message);
    this.type = type;
    this.fields = fields;
    this.status = status;
  }
}

/** What a request that DynamoDB does not understand gets. */
export const invalid = (message: string): Failure => new Failure('ValidationException', message);

/** What a request gets when its partition has no units left. */
export const throttled = (): Failure =>
  new Failure('ProvisionedThroughputExceededException', 'Throughput exceeds the current capacity');
