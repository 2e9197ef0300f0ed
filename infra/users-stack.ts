import { fileURLToPath } from 'node:url';
import { Annotations, CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { AccessLogBucket } from './access-logs.ts';
import { Alarms } from './alarms.ts';
import { ApiKey } from './api-key.ts';
import { CallQueries } from './call-queries.ts';
import { callers } from './callers.ts';
import { ClientAuthority } from './client-authority.ts';
import type { Options } from './context.ts';
import { Dashboard, third } from './dashboard.ts';
import { Edge } from './edge.ts';
import { EdgeProof } from './edge-proof.ts';
import { GrpcService } from './grpc-service.ts';
import { RateRule } from './rate-rule.ts';
import { ServiceDomain } from './service-domain.ts';
import { ServiceMetrics } from './service-metrics.ts';
import { TableMetrics } from './table-metrics.ts';
import { UsersTable } from './users-table.ts';

/** The Users service, as the options want it. With `vpcId` it needs `env`: that network is looked up there. */
export interface UsersStackProps extends StackProps {
  readonly options: Options;
  /**
   * The folder of the bundled certificate function.
   * @default dist/certificate
   */
  readonly certificateCode?: string;
}

/** The name of the stack: an account may have one of each stage. */
export function stackNameOf({ stage }: Options): string {
  return stage === undefined ? 'Users' : `Users-${stage}`;
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** The Users service: its table, its containers behind a load balancer, and what watches them. */
export class UsersStack extends Stack {
  readonly users: UsersTable;
  /** What callers show; `undefined` where they show something else. */
  readonly key: ApiKey | undefined;

  constructor(scope: Construct, id: string, props: UsersStackProps) {
    const { stage, tags } = props.options;
    super(scope, id, {
      description: 'The Users service: gRPC on Fargate',
      tags: { ...(stage ? { stage } : {}), ...tags },
      ...props,
    });
    const { options, certificateCode = `${root}dist/certificate` } = props;
    const { domainName, hostedZone, certificateArn } = options;
    const { disposable, maxReadUnits, maxWriteUnits } = options;
    const users = new UsersTable(this, 'Users', { disposable, maxReadUnits, maxWriteUnits });
    this.users = users;
    // An open deployment has it, too: callers show it already, and then lose no call when it is closed.
    const key = ['key', 'none'].includes(options.auth)
      ? new ApiKey(this, 'ApiKey', { disposable })
      : undefined;
    this.key = key;
    const authority = options.clientCa
      ? new ClientAuthority(this, 'ClientAuthority', { bundle: options.clientCa })
      : undefined;
    const domain =
      domainName && hostedZone
        ? new ServiceDomain(this, 'Domain', { domainName, hostedZoneId: hostedZone })
        : undefined;
    const certificate = certificateArn
      ? acm.Certificate.fromCertificateArn(this, 'Certificate', certificateArn)
      : domain?.certificate;

    const hasEdge = options.edge && domainName !== undefined;
    const proof = hasEdge ? new EdgeProof(this, 'EdgeProof').header : undefined;
    const service = new GrpcService(this, 'Service', {
      image: ecs.ContainerImage.fromAsset(root, {
        file: 'functions/users/Dockerfile',
        platform: Platform.LINUX_ARM64,
        buildArgs: options.baseImage ? { BASE: options.baseImage } : undefined,
      }),
      trustedProxies: hasEdge ? 2 : 1,
      requiredHeader: proof,
      environment: {
        USERS_STORE: 'dynamodb',
        USERS_TABLE: users.table.tableName,
        ...callers(options),
      },
      secrets: options.auth === 'key' && key ? { API_KEY: key.forContainer() } : undefined,
      clientTrustStore: authority?.trustStore,
      allowedCidrs: options.allowedCidrs,
      internal: options.internal,
      certificate,
      certificateCode: certificate ? undefined : certificateCode,
      vpc: options.vpcId ? ec2.Vpc.fromLookup(this, 'Vpc', { vpcId: options.vpcId }) : undefined,
      privateSubnets: options.privateSubnets,
      cpu: options.cpu,
      memoryMiB: options.memoryMiB,
      minTasks: options.minTasks,
      maxTasks: options.maxTasks,
      spotShare: options.spotShare,
      deployment: options.deployment,
      telemetry: options.telemetry,
      telemetryName: options.telemetry && this.stackName,
      // They are made below, with the table's, under the ids that deployed stacks have: an alarm that has a name can not
      // move to another id.
      watch: false,
      logRemoval: disposable ? RemovalPolicy.DESTROY : undefined,
      deletionProtection: options.protected,
      accessLogs: options.accessLogs ? new AccessLogBucket(this, 'AccessLogs').bucket : undefined,
      zonalShift: options.zonalShift,
    });
    users.grantStore(service);
    domain?.pointTo(service.loadBalancer);
    if (options.wafRatePerIp) {
      const { loadBalancer } = service;
      new RateRule(this, 'RateRule', { loadBalancer, requestsPerIp: options.wafRatePerIp });
    }
    const { edgeName: name, edgeCertificateArn: arn } = options;
    const edgeName = name && arn ? { name, certificateArn: arn } : undefined;
    const edge = proof && domainName ? new Edge(this, 'Edge', { domainName, proof, edgeName }) : undefined;
    if (edge && edgeName) domain?.pointEdge(edgeName.name, edge.distribution);
    // CloudFront shows the header before it is asked for.
    if (edge) service.targets.node.addDependency(edge);

    const metrics = new ServiceMetrics(this, 'Metrics', { service });
    const table = new TableMetrics(users.table);
    const queries = options.telemetry && new CallQueries(service.telemetryName);
    const alarms = new Alarms(this, 'Alarms', {
      metrics,
      queries,
      service: service.service,
      minTasks: service.minTasks,
      rollBackName: `${this.stackName}-roll-back`,
      topic: options.alarmTopicArn ? sns.Topic.fromTopicArn(this, 'Topic', options.alarmTopicArn) : undefined,
    });
    alarms.add('ThrottledTable', {
      metric: table.throttles,
      above: 0,
      periods: 3,
      outOf: 5,
      description: 'DynamoDB refuses requests: a hot key, or growth faster than on-demand capacity follows.',
    });
    service.rollBackAt(alarms.rollBackName, alarms.rollBack);
    const { logGroup } = service;
    const dashboard = new Dashboard(this, 'Dashboard', {
      metrics,
      queries,
      alarms: alarms.all,
      logGroup,
      store: tableGraph(table),
    });

    const host = edge?.domainName ?? domainName ?? service.loadBalancer.loadBalancerDnsName;
    this.#output('Endpoint', `https://${host}`, 'Where gRPC, gRPC-Web and Connect clients connect to');
    if (edge && edgeName && !domain) {
      const { distributionDomainName: target } = edge.distribution;
      this.#output('EdgeTarget', target, `What the DNS record of ${edgeName.name} is to lead to`);
    }
    if (service.authority) {
      this.#output(
        'Ca',
        service.authority,
        'The authority that clients are to trust for the endpoint, as PEM',
      );
    }
    if (key) {
      this.#output('ApiKeySecret', key.secret.secretArn, 'The secret that holds the key which callers show');
    }
    if (options.auth === 'none') {
      Annotations.of(this).addWarningV2(
        'users:open',
        'auth=none: whoever can connect may sign users up and ask for all of them by name, at your expense. ' +
          'See "Who may call" in docs/operating.md.',
      );
    }
    if ((options.cpu ?? 0) > 1024) {
      Annotations.of(this).addWarningV2(
        'users:cpu',
        `cpu=${options.cpu}: a task serves calls on one vCPU (1024); more of it hashes passwords alone. ` +
          'For more calls take more tasks (maxTasks).',
      );
    }
    if (options.deployment === 'canary') {
      Annotations.of(this).addWarningV2(
        'users:canary',
        'deployment=canary is experimental: ECS moves the tasks between two sets of target groups, and CloudFormation does ' +
          'not know where they are. Before a deployment that changes a listener rule, or goes back to rolling, run the ' +
          'check of "Canary" in docs/operating.md.',
      );
    }
    this.#output('Table', users.table.tableName, 'The users');
    this.#output('DashboardUrl', dashboard.url(this.region), 'What to look at first');
  }

  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}

/** Milliseconds of the table's operations, and what of them was refused. */
function tableGraph(table: TableMetrics): cloudwatch.IWidget {
  return new cloudwatch.GraphWidget({
    title: 'DynamoDB: milliseconds, and refused requests',
    left: ['TransactWriteItems', 'BatchGetItem', 'Query'].flatMap((operation) =>
      ['Average', 'Maximum'].map((statistic) => table.latency(operation, statistic)),
    ),
    right: [table.throttles],
    leftYAxis: { min: 0 },
    rightYAxis: { min: 0 },
    ...third,
  });
}
