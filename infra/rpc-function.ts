import { Aws, CfnResource, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, type IConstruct } from 'constructs';

/** A service of ours as an AWS Lambda Web Function. Everything but the code has a default. */
export interface RpcFunctionProps {
  /** The folder of the bundle, as `build.ts` makes it. Source maps stay behind: they would be read at each start. */
  readonly code: string;
  /**
   * What of it is started.
   * @default main.mjs
   */
  readonly entryPoint?: string;
  /**
   * Its environment. Where to listen, deadlines and the drain follow from the platform (`docs/settings.md`).
   * @default none
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * What holds the keys of callers: the function reads it when it starts, so that they stand in no configuration.
   * @default none
   */
  readonly keys?: secretsmanager.ISecret;
  /**
   * What CloudFront shows in `x-origin-proof`, where it stands in front. The function reads it when it starts, and
   * takes a client for the address that CloudFront has seen; its server has to refuse calls without it, and to take
   * no address from them, as `originProof` of `functions/process/origin-proof.ts` does.
   * @default nobody stands in front of the endpoint
   */
  readonly originProof?: secretsmanager.ISecret;
  /**
   * Who asks callers who they are: the service itself, or AWS (`iam`), which lets in who may
   * `lambda:InvokeWebFunctionEndpoint` and signs. Then the service sees no credential, and needs `AUTH=none`.
   * @default service
   */
  readonly auth?: 'service' | 'iam';
  /**
   * After this, from 3 to 900 seconds, the platform cuts a call; the service ends it with a status before.
   * @default 30 seconds
   */
  readonly timeout?: Duration;
  /**
   * Calls at a time in an environment, 1 to 128.
   * @default 64
   */
  readonly callsPerEnvironment?: number;
  /**
   * Environments at a time, at least 2: with `rateLimit` the price of a flood.
   * @default 10
   */
  readonly maxEnvironments?: number;
  /**
   * Calls in a second, more are refused: 0, or 100 to 1000 in hundreds, or 2000 to 10,000 in thousands. Regions differ
   * in what they take.
   * @default 1000
   */
  readonly rateLimit?: number;
  /**
   * Regions that serve besides that of the stack, all under one name, each caller from the nearest. A change makes
   * another name.
   * @default none
   */
  readonly regions?: readonly string[];
  /**
   * How long the log is kept.
   * @default a month
   */
  readonly logRetention?: logs.RetentionDays;
}

/** How a function is made unless it is told otherwise. */
export const functionDefaults = {
  timeoutSeconds: 30,
  callsPerEnvironment: 64,
  maxEnvironments: 10,
  rateLimit: 1000,
};

/**
 * An AWS Lambda Web Function that serves Connect, gRPC-Web and plain HTTP over HTTP/1.1 from the same bundle as the
 * container: nothing runs while nobody calls. gRPC itself needs `GrpcService`, since nothing in front of a function
 * carries trailers (https://docs.aws.amazon.com/lambda/latest/dg/web-functions-http.html).
 */
export class RpcFunction extends Construct {
  readonly function: lambda.WebFunction;
  /** Its log, and that of the platform about it. */
  readonly logGroup: logs.LogGroup;
  /** What the function may do: its log, the keys, and what it is granted. */
  readonly role: iam.Role;
  /** Where clients connect to. */
  readonly url: string;
  readonly #auth: 'service' | 'iam';

  constructor(scope: Construct, id: string, props: RpcFunctionProps) {
    super(scope, id);
    const { auth = 'service', keys, originProof, regions = [] } = props;
    const { logRetention = logs.RetentionDays.ONE_MONTH } = props;
    this.#auth = auth;
    const timeout = props.timeout ?? Duration.seconds(functionDefaults.timeoutSeconds);
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = this.#role(regions);
    keys?.grantRead(this.role);
    originProof?.grantRead(this.role);
    this.function = new lambda.WebFunction(this, 'Function', {
      code: lambda.WebFunctionCode.fromAssetToManagedBucket(props.code, {
        exclude: ['**/*.map', 'data.mjs', 'compile.mjs'],
      }),
      runtime: lambda.WebFunctionRuntime.NODEJS_24_X,
      entryPoint: props.entryPoint ?? 'main.mjs',
      role: this.role,
      logGroup: this.logGroup,
      timeout,
      maxConcurrencyPerEnvironment: props.callsPerEnvironment ?? functionDefaults.callsPerEnvironment,
      environment: {
        ...props.environment,
        ...(keys && { API_KEY_SECRET: keys.secretArn }),
        // CloudFront and the platform each add the address that they see.
        ...(originProof && { ORIGIN_PROOF_SECRET: originProof.secretArn, TRUSTED_PROXIES: '2' }),
        FUNCTION_TIMEOUT_MS: String(timeout.toMilliseconds()),
      },
      // Only lines that our own LOG_LEVEL lets pass are written.
      applicationLogLevel: lambda.ApplicationLogLevel.TRACE,
      systemLogLevel: lambda.SystemLogLevel.INFO,
      defaultEndpointAuth:
        auth === 'iam' ? lambda.WebFunctionAuthType.IAM_AUTH : lambda.WebFunctionAuthType.APPLICATION_MANAGED,
      defaultEndpoint: {
        endpointDescription: 'Connect, gRPC-Web and plain HTTP; gRPC itself needs a container',
        endpointLocation:
          regions.length > 0
            ? lambda.WebFunctionEndpointLocation.multiRegion([...regions])
            : lambda.WebFunctionEndpointLocation.homeRegion(),
        maxEnvironments: props.maxEnvironments ?? functionDefaults.maxEnvironments,
        rateLimit: props.rateLimit ?? functionDefaults.rateLimit,
      },
    });
    this.function.node.addDependency(this.role);
    this.#endLogOfCopy(logRetention);
    this.url = `https://${this.function.endpoint.domainName}`;
    this.#acknowledge();
  }

  /**
   * May write its log and nothing else. What a region serves is in a group of the same name and `.local`, which the
   * platform makes there.
   */
  #role(regions: readonly string[]): iam.Role {
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    this.logGroup.grantWrite(role);
    const { logGroupName } = this.logGroup;
    const region = regions.length > 0 ? '*' : Aws.REGION;
    const local = `arn:${Aws.PARTITION}:logs:${region}:${Stack.of(this).account}:log-group:${logGroupName}.local`;
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [local, `${local}:*`],
      }),
    );
    return role;
  }

  /** aws-cdk-lib keeps the log of what copies the code for two years, also when the stack goes: no longer than ours. */
  #endLogOfCopy(retention: logs.RetentionDays): void {
    for (const { node } of Stack.of(this).node.children) {
      if (!node.id.startsWith('S3ObjectCopyLogGroup') || !(node.defaultChild instanceof logs.CfnLogGroup))
        continue;
      node.defaultChild.retentionInDays = retention;
      node.defaultChild.applyRemovalPolicy(RemovalPolicy.DESTROY);
    }
  }

  /** The findings of cdk-nag that are meant, those of the parts that aws-cdk-lib adds to copy the code among them. */
  #acknowledge(): void {
    const stack = Stack.of(this);
    const idOf = (construct: IConstruct | undefined) =>
      CfnResource.isCfnResource(construct) ? `<${stack.getLogicalId(construct)}` : '';
    const acknowledge = (construct: IConstruct, reason: string, ...ids: string[]) =>
      Validations.of(construct).acknowledge(...ids.map((id) => ({ id: `AwsSolutions-${id}`, reason })));
    acknowledge(
      this.role,
      'Streams of its own log groups have names that the platform gives; a wildcard stands for nothing else.',
      ...['<AWS::Region>', '*'].flatMap((region) =>
        ['.local', '.local:*'].map(
          (end) =>
            `IAM5[Resource::arn:<AWS::Partition>:logs:${region}:<AWS::AccountId>:log-group:${idOf(this.logGroup.node.defaultChild)}>${end}]`,
        ),
      ),
    );
    const [bucket] = stack.node.children.filter((it) =>
      it.node.id.startsWith('AWSCDKWebFunctionAssetBucket'),
    );
    const copy = stack.node.children.find((it) => it.node.id.startsWith('Custom::S3ObjectCopy'));
    if (bucket) {
      acknowledge(bucket, 'It holds the code that is deployed, which only the platform reads.', 'S1');
    }
    if (copy) {
      acknowledge(
        copy,
        'aws-cdk-lib makes it, to copy the code at a deployment, and says which objects it may touch.',
        'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
        'IAM5[Action::s3:Abort*]',
        'IAM5[Action::s3:DeleteObject*]',
        'IAM5[Action::s3:GetObject*]',
        'IAM5[Action::s3:GetBucket*]',
        'IAM5[Action::s3:List*]',
        'IAM5[Resource::arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>/*]',
        `IAM5[Resource::${idOf(bucket?.node.defaultChild)}.Arn>/web-function/*]`,
        'L1',
      );
    }
    if (this.#auth === 'service') {
      Validations.of(this.function.endpoint).acknowledge({
        id: '@aws-cdk/aws-lambda:webFunctionPublicEndpoint',
        reason:
          'The service asks every caller who it is: it does not start without a decision (AUTH and others).',
      });
    }
  }
}
