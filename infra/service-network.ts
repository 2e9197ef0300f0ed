import { Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';

/** What a network for a service is made from. */
export interface ServiceNetworkProps {
  /**
   * Tasks in subnets without a way to the internet, which reach AWS through endpoints (about 45 $ a month, with secrets
   * 60, with telemetry 30 more). Without it they are in public subnets, and their security group alone keeps others
   * out.
   * @default false
   */
  readonly privateSubnets?: boolean;
  /**
   * Whether tasks are given secrets of Secrets Manager, which takes an endpoint in private subnets.
   * @default false
   */
  readonly hasSecrets?: boolean;
  /**
   * Whether tasks send metrics and traces to CloudWatch, which takes two endpoints in private subnets.
   * @default false
   */
  readonly hasTelemetry?: boolean;
}

/** A VPC over two availability zones without NAT gateways, the dearest part of most small networks. */
export class ServiceNetwork extends Construct {
  /** The network. */
  readonly vpc: ec2.Vpc;
  /** Where the tasks go. */
  readonly taskSubnets: ec2.SubnetSelection;

  constructor(scope: Construct, id: string, props: ServiceNetworkProps = {}) {
    super(scope, id);
    const taskSubnetType = props.privateSubnets ? ec2.SubnetType.PRIVATE_ISOLATED : ec2.SubnetType.PUBLIC;
    this.taskSubnets = { subnetType: taskSubnetType };
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 2, // what a load balancer needs
      natGateways: 0,
      subnetConfiguration: [
        { name: 'Public', subnetType: ec2.SubnetType.PUBLIC },
        ...(props.privateSubnets ? [{ name: 'Tasks', subnetType: taskSubnetType }] : []),
      ],
      // Free of charge: DynamoDB's traffic, and the images' layers, stay in AWS's network.
      gatewayEndpoints: {
        DynamoDb: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: ec2.GatewayVpcEndpointAwsService.S3 },
      },
    });
    if (props.privateSubnets) {
      // To pull the image, to write logs, to read secrets, and to send metrics and traces; the layers come from S3.
      const { ECR, ECR_DOCKER, CLOUDWATCH_LOGS, SECRETS_MANAGER, CLOUDWATCH_MONITORING, XRAY } =
        ec2.InterfaceVpcEndpointAwsService;
      for (const [name, service] of Object.entries({
        EcrApi: ECR,
        EcrDocker: ECR_DOCKER,
        Logs: CLOUDWATCH_LOGS,
        ...(props.hasSecrets ? { Secrets: SECRETS_MANAGER } : {}),
        ...(props.hasTelemetry ? { Metrics: CLOUDWATCH_MONITORING, Traces: XRAY } : {}),
      })) {
        const endpoint = this.vpc.addInterfaceEndpoint(name, { service });
        Validations.of(endpoint).acknowledge({
          id: 'AwsSolutions-EC23',
          reason: 'Open to the addresses of this network only, which the rule can not read.',
        });
      }
    }
    Validations.of(this.vpc).acknowledge({
      id: 'AwsSolutions-VPC7',
      reason:
        'Flow logs cost more than they tell here: calls are in the log of the service, with their peers.',
    });
  }
}
