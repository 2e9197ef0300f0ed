import { Duration, RemovalPolicy, Size, Stack, Validations } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type GrpcServiceProps, memoryOf, refuseContradictions } from './grpc-service-props.ts';
import { GrpcTargets } from './grpc-targets.ts';
import { lifetimes } from './lifetimes.ts';
import { RequestScaling } from './request-scaling.ts';
import { SelfIssuedCertificate } from './self-issued-certificate.ts';
import { ServiceNetwork } from './service-network.ts';
import { Telemetry } from './telemetry.ts';

/**
 * A gRPC service behind an HTTPS load balancer, on Fargate: gRPC, gRPC-Web and Connect for any client, over HTTP/2 end
 * to end for gRPC. Deployments, scaling and the loss of a task cut off no call that keeps its deadline.
 */
export class GrpcService extends Construct {
  /** In front of the service. */
  readonly loadBalancer: elbv2.ApplicationLoadBalancer;
  /** The service; grant its `taskDefinition.taskRole` what the container needs. */
  readonly service: ecs.FargateService;
  /** Where the tasks are registered. */
  readonly targets: GrpcTargets;
  /** What the container writes. */
  readonly logGroup: logs.LogGroup;
  /** Its `service.name` where metrics and traces are. */
  readonly telemetryName: string;
  /** Tasks that always run. */
  readonly minTasks: number;
  /** What the load balancer presents. */
  readonly certificate: acm.ICertificate;
  /** The authority (PEM) of a self-issued certificate; undefined where a `certificate` was given. */
  readonly authority?: string;

  constructor(scope: Construct, id: string, props: GrpcServiceProps) {
    super(scope, id);
    const { containerPort = 50051, trustedProxies = 1, minTasks = 2, maxTasks = 10 } = props;
    refuseContradictions(props);
    this.minTasks = minTasks;
    const times = lifetimes(props);
    const network = props.vpc
      ? {
          vpc: props.vpc,
          taskSubnets: props.taskSubnets ?? { subnetType: ec2.SubnetType.PUBLIC },
          endpoints: [],
        }
      : new ServiceNetwork(this, 'Network', {
          privateSubnets: props.privateSubnets,
          hasSecrets: Object.keys(props.secrets ?? {}).length > 0,
          hasTelemetry: props.telemetry !== undefined,
        });
    const { vpc, taskSubnets } = network;

    this.loadBalancer = new elbv2.ApplicationLoadBalancer(this, 'LoadBalancer', {
      vpc,
      internetFacing: !props.internal,
      // A new network may have public subnets alone, where an internal load balancer has no public address either.
      vpcSubnets: props.internal && !props.vpc ? taskSubnets : undefined,
      idleTimeout: times.idleTimeout,
      deletionProtection: props.deletionProtection ?? false,
      // Metadata keys may have dots and underscores, which would be dropped without a word.
      dropInvalidHeaderFields: false,
    });
    Validations.of(this.loadBalancer).acknowledge({
      id: 'AwsSolutions-ELB2',
      reason: 'Calls are in the log of the service; access logs need a bucket whose region is known.',
    });

    if (props.certificate) {
      this.certificate = props.certificate;
    } else {
      const { certificateCode: code = '' } = props;
      const dnsName = this.loadBalancer.loadBalancerDnsName;
      const issued = new SelfIssuedCertificate(this, 'Certificate', { dnsName, code });
      this.certificate = issued.certificate;
      this.authority = issued.authority;
    }
    const listener = this.loadBalancer.addListener('Https', {
      port: 443,
      protocol: elbv2.ApplicationProtocol.HTTPS,
      certificates: [this.certificate],
      // TLS 1.2 with forward secrecy and GCM alone, and 1.3, by post-quantum keys where a client offers them. Source:
      // https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
      sslPolicy: elbv2.SslPolicy.TLS13_12_RES_PQ,
      defaultAction: elbv2.ListenerAction.fixedResponse(404, { messageBody: 'not found' }), // what no rule takes: nothing
      open: !props.allowedCidrs,
      mutualAuthentication: props.clientTrustStore && {
        mutualAuthenticationMode: elbv2.MutualAuthenticationMode.VERIFY,
        trustStore: props.clientTrustStore,
      },
    });
    for (const peer of props.allowedCidrs ?? []) {
      const from = peer.startsWith('pl-') ? ec2.Peer.prefixList(peer) : ec2.Peer.ipv4(peer);
      this.loadBalancer.connections.allowFrom(from, ec2.Port.HTTPS, `Clients of ${peer}`);
    }
    for (const group of this.loadBalancer.connections.securityGroups) {
      Validations.of(group).acknowledge({
        id: 'AwsSolutions-EC23',
        reason:
          'Unless allowedCidrs says otherwise anyone may connect to the load balancer, on port 443 only.',
      });
    }
    const { deregistrationDelay } = times;
    const alternates = props.deployment === 'canary';
    this.targets = new GrpcTargets(this, 'Targets', {
      vpc,
      listener,
      port: containerPort,
      deregistrationDelay,
      alternates,
      requiredHeader: props.requiredHeader,
    });

    this.telemetryName = Stack.of(this).stackName;
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      // A first deployment that fails is rolled back, and would take along the log that says why.
      removalPolicy: props.logRemoval ?? RemovalPolicy.RETAIN,
    });
    this.service = this.#fargate(props, vpc, taskSubnets, times.stopTimeout, {
      ...props.environment,
      HOST: '0.0.0.0',
      PORT: String(containerPort),
      TRUSTED_PROXIES: String(trustedProxies),
      ...times.environment,
    });
    // A task that starts before the endpoints are there can't pull its image.
    this.service.node.addDependency(...network.endpoints);
    this.targets.register(this.service, containerName);

    const scaling = this.service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
    scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60 });
    new RequestScaling(this, 'RequestScaling', {
      target: scaling,
      loadBalancer: this.loadBalancer,
      targetGroups: this.targets.grpcGroups,
      requestsPerMinute: props.requestsPerTaskAndMinute ?? 6000,
    });
  }

  /** Brings the old version back when the alarm of that name goes off during a deployment. */
  rollBackAt(alarmName: string, alarm: cloudwatch.Alarm): void {
    this.service.enableDeploymentAlarms([alarmName]);
    this.service.node.addDependency(alarm);
  }

  #fargate(
    props: GrpcServiceProps,
    vpc: ec2.IVpc,
    taskSubnets: ec2.SubnetSelection,
    stopTimeout: Duration,
    environment: Record<string, string>,
  ): ecs.FargateService {
    const { containerPort = 50051, cpu = 256, deployment = 'rolling', telemetry } = props;
    const { taskMiB, serverMiB } = memoryOf(props);
    const taskDefinition = new ecs.FargateTaskDefinition(this, 'Task', {
      cpu,
      memoryLimitMiB: taskMiB,
      runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.ARM64 },
    });
    const linuxParameters = new ecs.LinuxParameters(this, 'Linux');
    linuxParameters.dropCapabilities(ecs.Capability.ALL);
    const server = taskDefinition.addContainer(containerName, {
      image: props.image,
      // Node sizes its heap by the limit of the container. Without one it takes the memory of the machine, which has
      // more than the task may use (https://cirrostratus.cloud/out-of-memory-issues-on-ecs-fargate-containers).
      memoryLimitMiB: serverMiB,
      environment,
      secrets: props.secrets,
      stopTimeout,
      portMappings: [{ containerPort }],
      readonlyRootFilesystem: true,
      linuxParameters,
      // A log that can't be written must not hold up calls.
      logging: ecs.LogDriver.awsLogs({
        logGroup: this.logGroup,
        streamPrefix: containerName,
        mode: ecs.AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(4),
      }),
    });
    acknowledgeTask(taskDefinition);
    if (telemetry) {
      const { logGroup, telemetryName: serviceName } = this;
      const containers = { taskDefinition, server, logGroup, linuxParameters };
      new Telemetry(this, 'Telemetry', { ...telemetry, ...containers, serviceName });
    }

    const cluster = new ecs.Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: ecs.ContainerInsights.DISABLED,
    });
    Validations.of(cluster).acknowledge({
      id: 'AwsSolutions-ECS4',
      reason: 'Container Insights is charged per task; the alarms and the dashboard need none of it.',
    });
    const securityGroup = new ec2.SecurityGroup(this, 'TaskSecurityGroup', {
      vpc,
      description: 'Tasks: in from the load balancer, out to AWS over HTTPS',
      allowAllOutbound: false,
    });
    securityGroup.addEgressRule(
      ec2.Peer.anyIpv4(),
      ec2.Port.HTTPS,
      'ECR, DynamoDB, CloudWatch, Secrets Manager, an issuer of tokens',
    );
    return new ecs.FargateService(this, 'Service', {
      cluster,
      taskDefinition,
      securityGroups: [securityGroup],
      vpcSubnets: taskSubnets,
      assignPublicIp: vpc.selectSubnets(taskSubnets).hasPublic,
      // No desired count: it is auto scaling's, and a deployment must not set it back.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      healthCheckGracePeriod: Duration.seconds(60),
      circuitBreaker: { rollback: true },
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      ...(deployment === 'canary' ? canary : {}),
    });
  }
}

const containerName = 'Server';

/**
 * A tenth of the calls for ten minutes; the old tasks stay for ten more, to go back to. Each is longer than the alarm
 * that rolls back needs (`rollBackPeriods`), when its figures come late.
 */
const canary: Partial<ecs.FargateServiceProps> = {
  deploymentStrategy: ecs.DeploymentStrategy.CANARY,
  canaryConfiguration: { stepPercent: 10, stepBakeTime: Duration.minutes(10) },
  bakeTime: Duration.minutes(10),
};

function acknowledgeTask(task: ecs.FargateTaskDefinition): void {
  Validations.of(task).acknowledge(
    {
      id: 'AwsSolutions-ECS2',
      reason:
        'The environment holds names and durations; secrets lie in Secrets Manager. Another version is a deployment.',
    },
    {
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'ecr:GetAuthorizationToken has no resource; the execution role may otherwise pull this one image.',
    },
  );
}
