// The properties of the resources that a rehearsal runs, as CloudFormation names them: those it reads, and no others.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/

/** CloudFormation takes numbers as texts too. */
export type Numeric = number | string;
type Flag = boolean | string;

/** Whether a flag of a template is set. */
export const isSet = (flag: Flag | undefined): boolean => String(flag) === 'true';

export interface KeyValue {
  readonly Key: string;
  readonly Value: string;
}

export interface TargetGroupProperties {
  readonly Port?: Numeric;
  readonly Protocol?: string;
  readonly ProtocolVersion?: 'GRPC' | 'HTTP1' | 'HTTP2';
  readonly HealthCheckPath?: string;
  readonly HealthCheckIntervalSeconds?: Numeric;
  readonly HealthCheckTimeoutSeconds?: Numeric;
  readonly HealthyThresholdCount?: Numeric;
  readonly UnhealthyThresholdCount?: Numeric;
  readonly Matcher?: { readonly GrpcCode?: string; readonly HttpCode?: string };
  readonly TargetGroupAttributes?: readonly KeyValue[];
}

export interface LoadBalancerProperties {
  readonly LoadBalancerAttributes?: readonly KeyValue[];
}

export interface ListenerProperties {
  readonly LoadBalancerArn: string;
  readonly Port: Numeric;
  readonly Protocol: string;
  readonly Certificates?: readonly { readonly CertificateArn: string }[];
  readonly DefaultActions: readonly ActionProperties[];
  readonly SslPolicy?: string;
  readonly MutualAuthentication?: unknown;
}

export interface RuleProperties {
  readonly ListenerArn: string;
  readonly Priority: Numeric;
  readonly Conditions: readonly ConditionProperties[];
  readonly Actions: readonly ActionProperties[];
}

export interface ConditionProperties {
  readonly Field: string;
  readonly Values?: readonly string[];
  readonly HttpHeaderConfig?: { readonly HttpHeaderName: string; readonly Values: readonly string[] };
  readonly HostHeaderConfig?: { readonly Values: readonly string[] };
  readonly PathPatternConfig?: { readonly Values: readonly string[] };
  readonly HttpRequestMethodConfig?: { readonly Values: readonly string[] };
}

export interface ActionProperties {
  readonly Type: string;
  readonly Order?: Numeric;
  readonly TargetGroupArn?: string;
  readonly ForwardConfig?: {
    readonly TargetGroups: readonly { readonly TargetGroupArn: string; readonly Weight?: Numeric }[];
  };
  readonly FixedResponseConfig?: {
    readonly StatusCode: string;
    readonly ContentType?: string;
    readonly MessageBody?: string;
  };
  readonly RedirectConfig?: {
    readonly StatusCode: string;
    readonly Protocol?: string;
    readonly Host?: string;
    readonly Port?: string;
    readonly Path?: string;
  };
}

export interface ServiceProperties {
  readonly Cluster: string;
  readonly TaskDefinition: string;
  readonly DesiredCount?: Numeric;
  readonly HealthCheckGracePeriodSeconds?: Numeric;
  readonly LoadBalancers?: readonly {
    readonly ContainerPort: Numeric;
    readonly TargetGroupArn: string;
    readonly AdvancedConfiguration?: {
      readonly AlternateTargetGroupArn: string;
      readonly ProductionListenerRule: string;
    };
  }[];
  readonly DeploymentConfiguration?: {
    readonly MaximumPercent?: Numeric;
    readonly MinimumHealthyPercent?: Numeric;
    readonly DeploymentCircuitBreaker?: { readonly Enable: Flag; readonly Rollback: Flag };
    readonly Alarms?: {
      readonly AlarmNames: readonly string[];
      readonly Enable: Flag;
      readonly Rollback: Flag;
    };
    readonly Strategy?: 'ROLLING' | 'BLUE_GREEN' | 'LINEAR' | 'CANARY';
    readonly BakeTimeInMinutes?: Numeric;
    readonly CanaryConfiguration?: {
      readonly CanaryPercent: Numeric;
      readonly CanaryBakeTimeInMinutes: Numeric;
    };
    readonly LinearConfiguration?: {
      readonly StepPercent: Numeric;
      readonly StepBakeTimeInMinutes: Numeric;
    };
  };
}

export interface TaskDefinitionProperties {
  readonly Cpu?: Numeric;
  readonly Memory?: Numeric;
  readonly ContainerDefinitions: readonly ContainerProperties[];
  readonly Volumes?: readonly { readonly Name: string; readonly EFSVolumeConfiguration?: unknown }[];
}

export interface ContainerProperties {
  readonly Name: string;
  readonly Image: string;
  readonly Essential?: Flag;
  readonly Cpu?: Numeric;
  readonly Memory?: Numeric;
  readonly Command?: readonly string[];
  readonly EntryPoint?: readonly string[];
  readonly User?: string;
  readonly DockerSecurityOptions?: readonly string[];
  readonly WorkingDirectory?: string;
  readonly Environment?: readonly { readonly Name: string; readonly Value: string }[];
  readonly Secrets?: readonly { readonly Name: string; readonly ValueFrom: string }[];
  readonly ReadonlyRootFilesystem?: Flag;
  readonly LinuxParameters?: {
    readonly InitProcessEnabled?: Flag;
    readonly Capabilities?: { readonly Add?: readonly string[]; readonly Drop?: readonly string[] };
  };
  readonly Ulimits?: readonly {
    readonly Name: string;
    readonly SoftLimit: Numeric;
    readonly HardLimit: Numeric;
  }[];
  readonly MountPoints?: readonly {
    readonly SourceVolume: string;
    readonly ContainerPath: string;
    readonly ReadOnly?: Flag;
  }[];
  readonly StopTimeout?: Numeric;
  readonly HealthCheck?: unknown;
  readonly LogConfiguration?: { readonly Options?: Readonly<Record<string, string>> };
}

export interface MetricStatProperties {
  readonly Metric: {
    readonly Namespace?: string;
    readonly MetricName?: string;
    readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
  };
  readonly Period: Numeric;
  readonly Stat: string;
}

export interface MetricQueryProperties {
  readonly Id: string;
  readonly Expression?: string;
  readonly MetricStat?: MetricStatProperties;
  readonly ReturnData?: Flag;
  readonly Period?: Numeric;
}

export interface AlarmProperties {
  readonly AlarmDescription?: string;
  readonly ComparisonOperator?: string;
  readonly EvaluationPeriods?: Numeric;
  readonly DatapointsToAlarm?: Numeric;
  readonly Threshold?: Numeric;
  readonly TreatMissingData?: string;
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
  readonly Statistic?: string;
  readonly ExtendedStatistic?: string;
  readonly Period?: Numeric;
  readonly Metrics?: readonly MetricQueryProperties[];
}

export interface MetricFilterProperties {
  readonly LogGroupName: string;
  readonly FilterPattern: string;
  readonly MetricTransformations: readonly {
    readonly MetricNamespace: string;
    readonly MetricName: string;
    readonly MetricValue: string;
    readonly DefaultValue?: Numeric;
  }[];
}

export interface TableProperties {
  readonly TableName?: string;
  readonly KeySchema: readonly unknown[];
  readonly AttributeDefinitions: readonly unknown[];
  readonly GlobalSecondaryIndexes?: readonly Readonly<Record<string, unknown>>[];
  readonly TimeToLiveSpecification?: { readonly AttributeName: string; readonly Enabled: Flag };
}

export interface ScheduleProperties {
  readonly Targets?: readonly { readonly Arn: string; readonly Input?: string }[];
}

export interface WebFunctionRevisionProperties {
  readonly ServiceConfig: {
    readonly EnvironmentVariables: Readonly<Record<string, string>>;
    readonly MaxConcurrencyPerEnvironment: Numeric;
    readonly TimeoutSeconds: Numeric;
  };
}

export interface WebFunctionEndpointProperties {
  readonly AuthType: string;
  readonly ScalingConfig: { readonly MaxEnvironments: Numeric };
  readonly ThrottleConfig: { readonly RateLimit: Numeric };
}

/** The types of resources, with their properties. */
export interface ResourceTypes {
  readonly 'AWS::ElasticLoadBalancingV2::TargetGroup': TargetGroupProperties;
  readonly 'AWS::ElasticLoadBalancingV2::LoadBalancer': LoadBalancerProperties;
  readonly 'AWS::ElasticLoadBalancingV2::Listener': ListenerProperties;
  readonly 'AWS::ElasticLoadBalancingV2::ListenerRule': RuleProperties;
  readonly 'AWS::ECS::Service': ServiceProperties;
  readonly 'AWS::ECS::TaskDefinition': TaskDefinitionProperties;
  readonly 'AWS::ApplicationAutoScaling::ScalableTarget': {
    readonly ResourceId: string;
    readonly MinCapacity: Numeric;
  };
  readonly 'AWS::CloudWatch::Alarm': AlarmProperties;
  readonly 'AWS::Logs::MetricFilter': MetricFilterProperties;
  readonly 'AWS::DynamoDB::GlobalTable': TableProperties;
  readonly 'AWS::DynamoDB::Table': TableProperties;
  readonly 'AWS::Events::Rule': ScheduleProperties;
  readonly 'AWS::Lambda::WebFunctionRevision': WebFunctionRevisionProperties;
  readonly 'AWS::Lambda::WebFunctionEndpoint': WebFunctionEndpointProperties;
  readonly 'AWS::SecretsManager::Secret': unknown;
  /** aws-cdk-lib's own, which copies the code of a function to where the platform reads it. */
  readonly 'Custom::S3ObjectCopy': { readonly ContentHash: string };
}
