import { Duration, Size, Validations } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { GrpcServiceProps } from './grpc-service-props.ts';
import { memoryOf } from './grpc-service-refusals.ts';
import { Telemetry } from './telemetry.ts';

/** What a task is made from besides the props of its service. */
export interface GrpcTaskParts {
  readonly containerPort: number;
  /** Where the containers write. */
  readonly logGroup: logs.ILogGroup;
  /** Of the server, whole. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stopTimeout: Duration;
  /** The server's `service.name` where metrics and traces are. */
  readonly telemetryName: string;
}

/** The name of the server's container, and of its port. */
export const containerName = 'Server';
const portName = 'grpc';

/** Makes the task definition of a gRPC server: confined, with a log that holds up nothing. */
export function makeGrpcTask(
  scope: Construct,
  props: GrpcServiceProps,
  { containerPort, logGroup, environment, stopTimeout, telemetryName }: GrpcTaskParts,
): ecs.FargateTaskDefinition {
  const { cpu = 256, telemetry, serviceConnect } = props;
  const { taskMiB, serverMiB } = memoryOf(props);
  const taskDefinition = new ecs.FargateTaskDefinition(scope, 'Task', {
    cpu,
    memoryLimitMiB: taskMiB,
    runtimePlatform: { cpuArchitecture: props.architecture ?? ecs.CpuArchitecture.ARM64 },
    taskRole: props.taskRole,
    executionRole: props.executionRole,
  });
  const linuxParameters = new ecs.LinuxParameters(scope, 'Linux');
  linuxParameters.dropCapabilities(ecs.Capability.ALL);
  const server = taskDefinition.addContainer(containerName, {
    image: props.image,
    command: props.command && [...props.command],
    // Node sizes its heap by the limit of the container. Without one it takes the memory of the machine, which has
    // more than the task may use (https://cirrostratus.cloud/out-of-memory-issues-on-ecs-fargate-containers).
    memoryLimitMiB: serverMiB,
    environment,
    secrets: props.secrets,
    stopTimeout,
    portMappings: [
      // A name and a protocol, by which Service Connect's proxies balance calls, not connections.
      serviceConnect?.name
        ? { containerPort, name: portName, appProtocol: ecs.AppProtocol.grpc }
        : { containerPort },
    ],
    readonlyRootFilesystem: props.readonlyRootFilesystem ?? true,
    linuxParameters,
    // A log that can't be written must not hold up calls.
    logging: ecs.LogDriver.awsLogs({
      logGroup,
      streamPrefix: containerName,
      mode: ecs.AwsLogDriverMode.NON_BLOCKING,
      maxBufferSize: Size.mebibytes(4),
    }),
  });
  Validations.of(taskDefinition).acknowledge(
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
  if (telemetry) {
    const containers = { taskDefinition, server, logGroup, linuxParameters };
    new Telemetry(scope, 'Telemetry', { ...telemetry, ...containers, serviceName: telemetryName });
  }
  return taskDefinition;
}

/**
 * What ECS Service Connect is told of a service. Its proxy would cut each call after 15 seconds, streams too; it is
 * told not to, for the server has deadlines of its own. A connection may be idle as long as at the load balancer, which
 * is longer than a deadline and shorter than the server's own time-out. Source:
 * https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TimeoutConfiguration.html
 */
export function serviceConnectOf(
  { serviceConnect, containerPort }: GrpcServiceProps,
  idleTimeout: Duration,
): ecs.ServiceConnectProps | undefined {
  if (!serviceConnect) return undefined;
  const { namespace, name } = serviceConnect;
  const port = containerPort ?? defaultPort;
  return {
    namespace,
    services: name
      ? [
          {
            portMappingName: portName,
            dnsName: name,
            discoveryName: name,
            port,
            perRequestTimeout: Duration.seconds(0),
            idleTimeout,
          },
        ]
      : undefined,
  };
}

/** The port on which containers listen unless they are told otherwise. */
export const defaultPort = 50051;
