import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Limits } from '../../limits.ts';

/** How to reach DynamoDB. */
export interface DynamoClientOptions {
  /** Default: what the SDK finds in the environment, `AWS_ENDPOINT_URL` included. */
  readonly endpoint?: string | undefined;
  readonly limits: Pick<
    Limits,
    'dynamoMaxSockets' | 'dynamoConnectTimeoutMs' | 'dynamoAttemptTimeoutMs' | 'dynamoMaxAttempts'
  >;
}

/** Makes a client that gives up within the limits. It needs `destroy` at its end. */
export function dynamoClient({ endpoint, limits }: DynamoClientOptions): DynamoDBClient {
  const agent = { keepAlive: true, maxSockets: limits.dynamoMaxSockets };
  return new DynamoDBClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: limits.dynamoMaxAttempts,
    requestHandler: {
      connectionTimeout: limits.dynamoConnectTimeoutMs,
      requestTimeout: limits.dynamoAttemptTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
}
