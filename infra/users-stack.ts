import { fileURLToPath } from 'node:url';
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { Alarms } from './alarms.ts';
import type { Options } from './context.ts';
import { Dashboard } from './dashboard.ts';
import { Edge } from './edge.ts';
import { GrpcService } from './grpc-service.ts';
import { ServiceDomain } from './service-domain.ts';
import { UsersMetrics } from './users-metrics.ts';
import { UsersTable } from './users-table.ts';

/** The Users service, as the options want it. */
export interface UsersStackProps extends StackProps {
  readonly options: Options;
  /**
   * The folder of the bundled certificate function.
   * @default dist/certificate
   */
  readonly certificateCode?: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** The Users service: its table, its containers behind a load balancer, and what watches them. */
export class UsersStack extends Stack {
  constructor(scope: Construct, id: string, props: UsersStackProps) {
    super(scope, id, { description: 'The Users service: gRPC on Fargate', ...props });
    const { options, certificateCode = `${root}dist/certificate` } = props;
    const { domainName, hostedZone, certificateArn } = options;
    const users = new UsersTable(this, 'Users', { disposable: options.disposable });
    const domain =
      domainName && hostedZone
        ? new ServiceDomain(this, 'Domain', { domainName, hostedZoneId: hostedZone })
        : undefined;
    const certificate = certificateArn
      ? acm.Certificate.fromCertificateArn(this, 'Certificate', certificateArn)
      : domain?.certificate;

    const hasEdge = options.edge && domainName !== undefined;
    const service = new GrpcService(this, 'Service', {
      image: ecs.ContainerImage.fromAsset(root, {
        file: 'functions/users/Dockerfile',
        platform: Platform.LINUX_ARM64,
        buildArgs: options.baseImage ? { BASE: options.baseImage } : undefined,
      }),
      trustedProxies: hasEdge ? 2 : 1,
      environment: { USERS_STORE: 'dynamodb', USERS_TABLE: users.table.tableName },
      certificate,
      certificateCode: certificate ? undefined : certificateCode,
      privateSubnets: options.privateSubnets,
      cpu: options.cpu,
      memoryMiB: options.memoryMiB,
      minTasks: options.minTasks,
      maxTasks: options.maxTasks,
      deployment: options.deployment,
    });
    users.grantStore(service.service.taskDefinition.taskRole);
    domain?.pointTo(service.loadBalancer);
    const edge = hasEdge ? new Edge(this, 'Edge', { domainName }) : undefined;

    const metrics = new UsersMetrics(this, 'Metrics', { service, table: users.table });
    const alarms = new Alarms(this, 'Alarms', { metrics, topicArn: options.alarmTopicArn });
    service.rollBackAt(alarms.serverErrorsName, alarms.serverErrors);
    const { logGroup } = service;
    const dashboard = new Dashboard(this, 'Dashboard', { metrics, alarms: alarms.all, logGroup });

    const name = edge?.domainName ?? domainName ?? service.loadBalancer.loadBalancerDnsName;
    this.#output('Endpoint', `https://${name}`, 'Where gRPC, gRPC-Web and Connect clients connect to');
    if (service.authority) {
      this.#output(
        'Ca',
        service.authority,
        'The authority that clients are to trust for the endpoint, as PEM',
      );
    }
    this.#output('Table', users.table.tableName, 'The users');
    this.#output('DashboardUrl', dashboard.url(this.region), 'What to look at first');
  }

  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}
