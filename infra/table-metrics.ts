import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { filledSum } from './service-metrics.ts';
import { nameIndex } from './users-table.ts';

const minute = Duration.minutes(1);

/** The figures of the users' table that an alarm watches and the dashboard shows. */
export class TableMetrics {
  /** Reads and writes that DynamoDB refused in a minute, of the table and of its index. */
  readonly throttles: cloudwatch.MathExpression;

  readonly #table: dynamodb.TableV2;

  constructor(table: dynamodb.TableV2) {
    this.#table = table;
    const ofTable = { period: minute, statistic: 'Sum' };
    const ofIndex = {
      ...ofTable,
      dimensionsMap: { TableName: table.tableName, GlobalSecondaryIndexName: nameIndex },
    };
    const throttles = {
      reads: table.metric('ReadThrottleEvents', ofTable),
      writes: table.metric('WriteThrottleEvents', ofTable),
      // The table's own do not count them.
      indexReads: table.metric('ReadThrottleEvents', ofIndex),
      indexWrites: table.metric('WriteThrottleEvents', ofIndex),
    };
    this.throttles = new cloudwatch.MathExpression({
      label: 'throttled',
      expression: filledSum(throttles),
      usingMetrics: throttles,
      period: minute,
    });
  }

  /** Average and worst latency of a DynamoDB operation, in milliseconds, over five minutes. */
  latency(operation: string, statistic: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/DynamoDB',
      metricName: 'SuccessfulRequestLatency',
      dimensionsMap: { TableName: this.#table.tableName, Operation: operation },
      statistic,
      period: Duration.minutes(5),
      label: `${operation} ${statistic}`,
    });
  }
}
