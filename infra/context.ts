import type { Node } from 'constructs';
import type { Deployment } from './grpc-service-props.ts';

/** What a deployment can be told: `npx cdk deploy -c NAME=VALUE`, or under `context` in cdk.json. */
export interface Options {
  /** The name that clients connect to, such as users.example.com. */
  readonly domainName?: string;
  /** The id of the Route 53 zone that the domain is in: certificate and DNS record are made there. */
  readonly hostedZone?: string;
  /** A certificate in ACM for the domain, whose DNS record is yours to make. */
  readonly certificateArn?: string;
  /** Tasks in subnets without a way to the internet. */
  readonly privateSubnets: boolean;
  /** Of a task, in 1/1024 of a CPU. */
  readonly cpu?: number;
  /** Of a task. */
  readonly memoryMiB?: number;
  readonly minTasks?: number;
  readonly maxTasks?: number;
  readonly deployment: Deployment;
  /** CloudFront in front; needs a domain. */
  readonly edge: boolean;
  /** The container's base image, instead of the Dockerfile's. */
  readonly baseImage?: string;
  /** The SNS topic that alarms are sent to. */
  readonly alarmTopicArn?: string;
  /** For a trial: the table goes with the stack. */
  readonly disposable: boolean;
}

/**
 * Reads the options from the context of the app.
 *
 * @throws Error with everything that is wrong, a line each
 */
export function readOptions(node: Node): Options {
  const problems: string[] = [];
  const isGiven = (name: string): boolean => !['', undefined].includes(node.tryGetContext(name));
  const text = (name: string, pattern?: RegExp, expected = ''): string | undefined => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return undefined;
    if (typeof value === 'string' && (!pattern || pattern.test(value))) return value;
    problems.push(`${name} must be ${expected || 'a text'}, not ${JSON.stringify(value)}`);
    return undefined;
  };
  const number = (name: string): number | undefined => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return undefined;
    if (/^\d{1,6}$/.test(String(value))) return Number(value);
    problems.push(`${name} must be a whole number, not ${JSON.stringify(value)}`);
    return undefined;
  };
  const flag = (name: string): boolean => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return false;
    if (/^(true|false)$/.test(String(value))) return String(value) === 'true';
    problems.push(`${name} must be true or false, not ${JSON.stringify(value)}`);
    return false;
  };

  const deployment = text('deployment', /^(rolling|canary)$/, 'rolling or canary');
  const options: Options = {
    domainName: text('domainName', /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i, 'a name such as users.example.com'),
    hostedZone: text(
      'hostedZone',
      /^Z[A-Z0-9]+$/,
      'the id of a Route 53 hosted zone, such as Z0123456789ABC',
    ),
    certificateArn: text(
      'certificateArn',
      /^arn:[\w-]+:acm:.+:certificate\/.+$/,
      'the ARN of a certificate in ACM',
    ),
    privateSubnets: flag('privateSubnets'),
    cpu: number('cpu'),
    memoryMiB: number('memoryMiB'),
    minTasks: number('minTasks'),
    maxTasks: number('maxTasks'),
    deployment: deployment === 'canary' ? 'canary' : 'rolling',
    edge: flag('edge'),
    baseImage: text('baseImage'),
    alarmTopicArn: text('alarmTopicArn', /^arn:[\w-]+:sns:.+$/, 'the ARN of an SNS topic'),
    disposable: flag('disposable'),
  };

  // Of what was given, used or not: one that is refused above has not been forgotten.
  const [domainName, hostedZone, certificateArn] = ['domainName', 'hostedZone', 'certificateArn'].map(
    isGiven,
  );
  if (hostedZone && certificateArn) {
    problems.push('hostedZone makes a certificate: give either it or certificateArn');
  }
  if (hostedZone && !domainName) problems.push('hostedZone needs domainName, the name to make in it');
  if (domainName && !hostedZone && !certificateArn) {
    problems.push('domainName needs hostedZone (the id of its Route 53 zone), or certificateArn');
  }
  if (certificateArn && !domainName)
    problems.push('certificateArn needs domainName, the name that it is for');
  if (options.edge && !domainName) {
    problems.push('edge needs domainName: CloudFront trusts no self-issued certificate');
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return options;
}
