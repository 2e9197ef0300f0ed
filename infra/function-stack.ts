import { fileURLToPath } from 'node:url';
import { Annotations, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { ApiKey } from './api-key.ts';
import { callers } from './callers.ts';
import type { Options } from './context.ts';
import { Edge } from './edge.ts';
import { EdgeProof } from './edge-proof.ts';
import { FunctionWatching } from './function-watching.ts';
import { functionDefaults, RpcFunction } from './rpc-function.ts';
import { EdgeDomain } from './service-domain.ts';
import { UsersTable } from './users-table.ts';

/** The Users service without a server, as the options want it. */
export interface FunctionStackProps extends StackProps {
  readonly options: Options;
  /**
   * The folder of the bundle.
   * @default dist/users
   */
  readonly code?: string;
  /**
   * The users and the key of the stack of containers, to serve them here too.
   * @default the stack has its own
   */
  readonly shared?: { readonly users: UsersTable; readonly key: ApiKey | undefined };
}

/** The name of the stack: an account may have one of each stage. */
export function functionStackNameOf({ stage }: Options): string {
  return stage === undefined ? 'UsersFunction' : `UsersFunction-${stage}`;
}

/**
 * How long CloudFront waits for a byte: as long as a call may last, where it does not take a higher quota. Source:
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html#DownloadDistValuesOriginResponseTimeout
 */
const silenceSeconds = { least: 60, most: 120 };

const root = fileURLToPath(new URL('..', import.meta.url));

/** The Users service as a Web Function: its table, the function, and what watches it. */
export class FunctionStack extends Stack {
  constructor(scope: Construct, id: string, { options, code, shared, ...props }: FunctionStackProps) {
    const { stage, tags } = options;
    super(scope, id, {
      description: 'The Users service: Connect and gRPC-Web on AWS Lambda',
      tags: { ...(stage ? { stage } : {}), ...tags },
      ...props,
    });
    const { auth, disposable, maxReadUnits, maxWriteUnits, timeoutSeconds } = options;
    const users = shared?.users ?? new UsersTable(this, 'Users', { disposable, maxReadUnits, maxWriteUnits });
    // aws-cdk-lib copies the environment of a function where a reference to another stack would not be found: an import
    // by name is.
    const imported = (value: string) => (shared ? Stack.of(users).exportValue(value) : value);
    const tableName = imported(users.table.tableName);
    const key =
      shared === undefined && auth === 'key' ? new ApiKey(this, 'ApiKey', { disposable }) : shared?.key;
    const keys =
      shared && key
        ? secretsmanager.Secret.fromSecretCompleteArn(this, 'Key', imported(key.secret.secretArn))
        : key?.secret;
    // With both homes it is that of the containers.
    const proof = options.edge && !shared ? new EdgeProof(this, 'EdgeProof') : undefined;
    const service = new RpcFunction(this, 'Service', {
      code: code ?? `${root}dist/users`,
      environment: {
        USERS_TABLE: tableName,
        // There is one table, in the region of the stack, wherever a call is served.
        ...(options.regions && { DYNAMODB_ENDPOINT: `https://dynamodb.${this.region}.${this.urlSuffix}` }),
        ...callers(options),
      },
      keys: auth === 'key' ? keys : undefined,
      originProof: proof?.secret,
      auth: auth === 'iam' ? 'iam' : 'service',
      timeout: timeoutSeconds === undefined ? undefined : Duration.seconds(timeoutSeconds),
      maxEnvironments: options.maxEnvironments,
      rateLimit: options.rateLimit,
      regions: options.regions,
    });
    const edge = proof && this.#edge(service, proof, options);
    users.grantStore(service.role);
    const { table } = users;
    const watching = new FunctionWatching(this, 'Watching', {
      service,
      table,
      topicArn: options.alarmTopicArn,
    });
    Annotations.of(this).addInfoV2(
      'users:home',
      `home=${options.home}: the function serves the users and the key of ${shared ? `the stack ${Stack.of(users).stackName}` : 'this stack'}. ` +
        'A change of home moves none. See "Changing the home" in docs/homes.md.',
    );
    if (auth === 'none') {
      Annotations.of(this).addWarningV2(
        'users:open',
        'auth=none: whoever can connect may sign users up and ask for all of them by name, at your expense. ' +
          'See "Who may call" in docs/operating.md.',
      );
    }
    const url = edge ? `https://${edge.domainName}` : service.url;
    this.#output('Endpoint', url, 'Where Connect and gRPC-Web clients connect to, over HTTP/1.1');
    this.#output('Home', 'function', 'What serves there, for test/deployed/: HTTP/1.1 alone, and no gRPC');
    // What it shares, the other stack names.
    if (key && !shared) {
      this.#output('ApiKeySecret', key.secret.secretArn, 'The secret that holds the key which callers show');
    }
    if (!shared) this.#output('Table', table.tableName, 'The users');
    this.#output(
      'LogGroup',
      service.logGroup.logGroupName,
      'The log: calls, and what the platform says of starts',
    );
    this.#output('DashboardUrl', watching.url, 'What to look at first');
  }

  /** CloudFront in front of the function, and the name of one's own that leads there. */
  #edge({ function: { endpoint } }: RpcFunction, { header }: EdgeProof, options: Options): Edge {
    const { edgeName: name, edgeCertificateArn: certificateArn, hostedZone: hostedZoneId } = options;
    const { timeoutSeconds = functionDefaults.timeoutSeconds } = options;
    if (timeoutSeconds > silenceSeconds.most) {
      Annotations.of(this).addWarningV2(
        'users:silence',
        `edge=true and timeoutSeconds=${timeoutSeconds}: CloudFront ends a call that is silent for ${silenceSeconds.most} s, ` +
          'whatever time it has. See "CloudFront, and a name of your own" in docs/homes.md.',
      );
    }
    const edge = new Edge(this, 'Edge', {
      domainName: endpoint.domainName,
      proof: header,
      edgeName: name && certificateArn ? { name, certificateArn } : undefined,
      grpc: false,
      silence: Duration.seconds(
        Math.min(Math.max(timeoutSeconds, silenceSeconds.least), silenceSeconds.most),
      ),
    });
    const { distribution } = edge;
    if (name && hostedZoneId) {
      new EdgeDomain(this, 'EdgeDomain', { domainName: name, hostedZoneId, distribution });
    } else if (name) {
      const target = distribution.distributionDomainName;
      this.#output('EdgeTarget', target, `What the DNS record of ${name} is to lead to`);
    }
    return edge;
  }

  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}
