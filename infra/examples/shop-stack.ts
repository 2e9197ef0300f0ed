import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { GrpcLoadBalancer } from '../grpc-load-balancer.ts';
import { GrpcService } from '../grpc-service.ts';
import { imageOf } from './go-image.ts';
import type { ExampleProps } from './hello-stack.ts';

/** Two services behind one load balancer, each with the paths of its own gRPC service. */
export class ShopStack extends Stack {
  constructor(scope: Construct, id: string, { image, certificateCode, ...props }: ExampleProps) {
    super(scope, id, { description: 'An example: two services, one load balancer', ...props });
    const front = new GrpcLoadBalancer(this, 'Front', { certificateCode });
    const shared = { image: imageOf(this, image), architecture: image.architecture, http: false, front };
    new GrpcService(this, 'Orders', {
      ...shared,
      environment: { SERVICE: 'shop.Orders' },
      route: { priority: 10, paths: ['/shop.Orders/*'] },
    });
    // The cheap end: one task, and more on Spot when there is more to do.
    new GrpcService(this, 'Stock', {
      ...shared,
      environment: { SERVICE: 'shop.Stock' },
      route: { priority: 20, paths: ['/shop.Stock/*'] },
      minTasks: 1,
      spotShare: 80,
    });
    new CfnOutput(this, 'Endpoint', { value: `https://${front.loadBalancer.loadBalancerDnsName}` });
    new CfnOutput(this, 'Ca', { value: front.authority ?? '' });
  }
}
