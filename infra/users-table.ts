import { RemovalPolicy } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/** What becomes of the users. */
export interface UsersTableProps {
  /**
   * Deletes the table, users and all, with the stack; for a trial.
   * @default false: it is protected against deletion, and stays when the stack goes
   */
  readonly disposable?: boolean;
  /**
   * What DynamoDB serves in a second, about: more is refused, and costs nothing. A unit is a consistent read of 4 KB.
   * @default 1000
   */
  readonly maxReadUnits?: number;
  /**
   * The same for writes. A unit is 1 KB, in a transaction half of that: a sign-up takes four to eight units.
   * @default 1000
   */
  readonly maxWriteUnits?: number;
}

/** What a table serves in a second unless it is told otherwise. */
export const defaultMaxUnits = 1000;

/** The users: one item under `pk` for each rule that a sign-up must keep (see `functions/users/stores/`). */
export class UsersTable extends Construct {
  /** The table. */
  readonly table: dynamodb.TableV2;

  constructor(scope: Construct, id: string, props: UsersTableProps = {}) {
    super(scope, id);
    this.table = new dynamodb.TableV2(this, 'Table', {
      partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt', // of the items that remember a request_id
      billing: dynamodb.Billing.onDemand({
        maxReadRequestUnits: props.maxReadUnits ?? defaultMaxUnits,
        maxWriteRequestUnits: props.maxWriteUnits ?? defaultMaxUnits,
      }),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: !props.disposable,
      removalPolicy: props.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
  }

  /** Allows what the store calls and nothing else: a sign-up is a transaction of puts, a look-up a batch of gets. */
  grantStore(grantee: iam.IGrantable): iam.Grant {
    return this.table.grant(grantee, 'dynamodb:PutItem', 'dynamodb:BatchGetItem');
  }
}
