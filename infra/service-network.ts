import { Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct, type IDependable } from 'constructs';

/** What a network for a service is made from. */
export interface ServiceNetworkProps {
  /**
   * Tasks in subnets without a way to the internet, which reach AWS through endpoints (about 45 $ a month, with secrets
   * 60, with telemetry 30 more). Without it they are in public subnets, and their security group alone keeps others
   * out. They share the range of addresses with the public subnets, whose shape can't change later; `added` is for a
   * network that was made without them: a range of their own is added.
   * @default false
   */
  readonly privateSubnets?: boolean | 'added';
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

/** The addresses that are added: the VPC itself has 10.0.0.0/16, all of which its first subnets have. */
const added = { range: '10.1.0.0/16', subnets: ['10.1.0.0/17', '10.1.128.0/17'] };

/** A VPC over two availability zones without NAT gateways, the dearest part of most small networks. */
export class ServiceNetwork extends Construct {
  /** The network. */
  readonly vpc: ec2.Vpc;
  /** Where the tasks go. */
  readonly taskSubnets: ec2.SubnetSelection;
  /** What tasks need to start. */
  readonly endpoints: IDependable[] = [];

  constructor(scope: Construct, id: string, props: ServiceNetworkProps = {}) {
    super(scope, id);
    const { PRIVATE_ISOLATED, PUBLIC } = ec2.SubnetType;
    const isShared = props.privateSubnets === true;
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 2, // what a load balancer needs
      natGateways: 0,
      subnetConfiguration: [
        { name: 'Public', subnetType: PUBLIC },
        ...(isShared ? [{ name: 'Tasks', subnetType: PRIVATE_ISOLATED }] : []),
      ],
    });
    const subnets = props.privateSubnets === 'added' ? this.#addSubnets() : undefined;
    this.taskSubnets = subnets ? { subnets } : { subnetType: isShared ? PRIVATE_ISOLATED : PUBLIC };
    // Free of charge: DynamoDB's traffic, and the images' layers, stay in AWS's network.
    const { DYNAMODB, S3 } = ec2.GatewayVpcEndpointAwsService;
    for (const [name, service] of Object.entries({ DynamoDb: DYNAMODB, S3 })) {
      const all = subnets && [{ subnetType: PUBLIC }, { subnets }];
      this.endpoints.push(this.vpc.addGatewayEndpoint(name, { service, subnets: all }));
    }
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
        const endpoint = this.vpc.addInterfaceEndpoint(name, { service, subnets: this.taskSubnets });
        // Open as it is to the VPC's first range.
        if (subnets) endpoint.connections.allowDefaultPortFrom(ec2.Peer.ipv4(added.range), 'Tasks');
        this.endpoints.push(endpoint);
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

  /** Subnets for the tasks in a range of their own. */
  #addSubnets(): ec2.ISubnet[] {
    const { vpcId, availabilityZones } = this.vpc;
    const range = new ec2.CfnVPCCidrBlock(this, 'TasksRange', { vpcId, cidrBlock: added.range });
    return added.subnets.map((cidrBlock, index) => {
      const availabilityZone = availabilityZones[index] ?? '';
      const subnet = new ec2.PrivateSubnet(this, `TasksSubnet${index + 1}`, {
        vpcId,
        availabilityZone,
        cidrBlock,
      });
      subnet.node.addDependency(range);
      return subnet;
    });
  }
}
