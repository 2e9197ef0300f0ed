import { RemovalPolicy } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/** What becomes of the users. */
export interface UsersTableProps {
  /**
   * Deletes the table, users and all, with the stack; for a trial.
   * @default false: it is protected against deletion, and stays when the stack goes
   */
  readonly disposable?: boolean;
  /**
   * What DynamoDB serves in a second, about, of the table and once more of its index: more is refused, and costs
   * nothing. A unit is a consistent read of 4 KB.
   * @default 1000
   */
  readonly maxReadUnits?: number;
  /**
   * The same for writes. A unit is 1 KB, in a transaction half of that: a sign-up takes four to eight units, and one
   * of the index.
   * @default 1000
   */
  readonly maxWriteUnits?: number;
}

/** What a table serves in a second unless it is told otherwise. */
export const defaultMaxUnits = 1000;

/** The index of the names. The store asks for it by this name. */
export const nameIndex = 'users-by-name';

/**
 * The users: one item under `pk` for each rule that a sign-up must keep, and an index that lists their names (see
 * `functions/users/stores/`).
 */
export class UsersTable extends Construct {
  /** The table. */
  readonly table: dynamodb.TableV2;

  constructor(scope: Construct, id: string, props: UsersTableProps = {}) {
    super(scope, id);
    const { maxReadUnits = defaultMaxUnits, maxWriteUnits = defaultMaxUnits } = props;
    const ceilings = { maxReadRequestUnits: maxReadUnits, maxWriteRequestUnits: maxWriteUnits };
    this.table = new dynamodb.TableV2(this, 'Table', {
      partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt', // of the items that remember a request_id
      globalSecondaryIndexes: [
        {
          indexName: nameIndex,
          partitionKey: { name: 'initial', type: dynamodb.AttributeType.STRING },
          sortKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
          projectionType: dynamodb.ProjectionType.INCLUDE,
          nonKeyAttributes: ['username', 'userId'],
          ...ceilings,
        },
      ],
      billing: dynamodb.Billing.onDemand(ceilings),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: !props.disposable,
      removalPolicy: props.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
  }

  /**
   * Allows what the store calls and nothing else: transactions of puts, updates and deletes, a batch of gets, and
   * queries of the index, which is a resource of its own. A copy scans, which is for operators, not for the service.
   */
  grantStore(grantee: iam.IGrantable): void {
    const { tableArn } = this.table;
    const allow = (resourceArn: string, ...actions: string[]) =>
      iam.Grant.addToPrincipal({ grantee, actions, resourceArns: [resourceArn] });
    const writes = ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'].map(
      (action) => `dynamodb:${action}`,
    );
    allow(tableArn, ...writes, 'dynamodb:BatchGetItem');
    allow(`${tableArn}/index/${nameIndex}`, 'dynamodb:Query');
  }
}
