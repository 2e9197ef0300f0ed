import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { GrpcService } from '../grpc-service.ts';
import { type GoImage, imageOf } from './go-image.ts';

/** What the examples are made from. */
export interface ExampleProps extends StackProps {
  readonly image: GoImage;
  /** The folder of the bundled certificate function, `dist/certificate` after `npm run build`. */
  readonly certificateCode: string;
}

/** A service in Go that speaks gRPC alone. */
export class HelloStack extends Stack {
  constructor(scope: Construct, id: string, { image, certificateCode, ...props }: ExampleProps) {
    super(scope, id, { description: 'An example: gRPC alone', ...props });
    const hello = new GrpcService(this, 'Hello', {
      image: imageOf(this, image),
      architecture: image.architecture,
      http: false,
      environment: { SERVICE: 'hello.Hello' },
      certificateCode,
    });
    new CfnOutput(this, 'Endpoint', { value: `https://${hello.loadBalancer.loadBalancerDnsName}` });
    new CfnOutput(this, 'Ca', { value: hello.authority ?? '' });
  }
}
