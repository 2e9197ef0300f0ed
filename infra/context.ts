import type { Node } from 'constructs';
import { expectedOrigins, isOrigin } from '../functions/process/origin.ts';
import { isSlip } from '../functions/process/slip.ts';
import { s3Object } from './client-authority.ts';
import type { Deployment } from './grpc-service-props.ts';
import { isPeer } from './grpc-service-refusals.ts';
import { homeContradictions } from './home-contradictions.ts';
import { contradictions } from './option-contradictions.ts';
import { defaultTraceRatio, type TelemetryOptions } from './telemetry.ts';

/**
 * Who may call: holders of a key, of a token (JWT), of a client certificate alone, whom AWS lets in (IAM), or whoever
 * can connect.
 */
export type Auth = 'key' | 'jwt' | 'certificate' | 'iam' | 'none';

/** What a deployment can be told: `npx cdk deploy -c NAME=VALUE`, or under `context` in cdk.json. */
export interface Options {
  /** What serves: containers behind a load balancer, a Web Function, or both with the same users. */
  readonly home: 'container' | 'function' | 'both';
  /** The name that clients connect to, such as users.example.com. */
  readonly domainName?: string;
  /** The id of the Route 53 zone that the domain is in: certificate and DNS record are made there. */
  readonly hostedZone?: string;
  /** A certificate in ACM for the domain, whose DNS record is yours to make. */
  readonly certificateArn?: string;
  /** Tasks in subnets without a way to the internet, from the beginning, or `added` to a network without. */
  readonly privateSubnets: boolean | 'added';
  /** A network of yours, looked up in the account. */
  readonly vpcId?: string;
  /** Of a task, in 1/1024 of a CPU. */
  readonly cpu?: number;
  /** Of a task. */
  readonly memoryMiB?: number;
  readonly minTasks?: number;
  readonly maxTasks?: number;
  /** Of a hundred tasks, those on Fargate Spot. */
  readonly spotShare?: number;
  readonly deployment: Deployment;
  /** CloudFront in front; needs a domain, but for a function. */
  readonly edge: boolean;
  /** The name that clients connect to at CloudFront, instead of one under cloudfront.net. */
  readonly edgeName?: string;
  /** Its certificate in ACM, in us-east-1. */
  readonly edgeCertificateArn?: string;
  /** The key unless something else is said; certificates alone where there is a `clientCa` and nothing else is said. */
  readonly auth: Auth;
  /** Whose tokens are taken: the URL of the issuer, as in their `iss`. */
  readonly authIssuer?: string;
  /** What the tokens must be for: their `aud`. */
  readonly authAudience?: string;
  /** The authorities of client certificates: PEM in S3, `s3://BUCKET/KEY`. */
  readonly clientCa?: string;
  /** JSON: the scopes of each name that a client certificate has. */
  readonly clientScopes?: string;
  /** Networks and prefix lists that may connect; everybody without it. */
  readonly allowedCidrs?: readonly string[];
  /** Origins whose pages may call, `*` for all; those of other pages can't without it. */
  readonly corsOrigins?: readonly string[];
  /** No public address of the load balancer. */
  readonly internal: boolean;
  /** What the table serves in a second. */
  readonly maxReadUnits?: number;
  readonly maxWriteUnits?: number;
  /** Of each caller, on each task; 0 for no quota. */
  readonly tokensPerSecond?: number;
  /** Requests of one address in five minutes, at most. */
  readonly wafRatePerIp?: number;
  /** The container's base image, instead of the Dockerfile's. */
  readonly baseImage?: string;
  /** Of a function: after how long the platform cuts a call. */
  readonly timeoutSeconds?: number;
  /** Of a function: how many environments there are at a time, at most. */
  readonly maxEnvironments?: number;
  /** Of a function: calls in a second, at most. */
  readonly rateLimit?: number;
  /** Of a function: regions that serve besides that of the stack, under one name. */
  readonly regions?: readonly string[];
  /** The SNS topic that alarms are sent to. */
  readonly alarmTopicArn?: string;
  /** Metrics and traces, beside the log. */
  readonly telemetry?: TelemetryOptions;
  /** Tells the stacks of one account apart: the name of this one is `Users-STAGE`. */
  readonly stage?: string;
  /** Of everything that is made. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The load balancer writes a line for each request into a bucket. */
  readonly accessLogs: boolean;
  /** A zone that fails can be taken out of service. */
  readonly zonalShift: boolean;
  /** The load balancer can not be deleted. */
  readonly protected: boolean;
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
  const known = new Set<string>();
  const isGiven = (name: string): boolean => {
    known.add(name);
    return !['', undefined].includes(node.tryGetContext(name));
  };
  const text = (name: string, pattern?: RegExp, expected = ''): string | undefined => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return undefined;
    if (typeof value === 'string' && (!pattern || pattern.test(value))) return value;
    problems.push(`${name} must be ${expected || 'a text'}, not ${JSON.stringify(value)}`);
    return undefined;
  };
  const number = (name: string, least = 0): number | undefined => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return undefined;
    if (/^\d{1,6}$/.test(String(value)) && Number(value) >= least) return Number(value);
    const expected = least > 0 ? `a whole number of at least ${least}` : 'a whole number';
    problems.push(`${name} must be ${expected}, not ${JSON.stringify(value)}`);
    return undefined;
  };
  const ratio = (name: string): number | undefined => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return undefined;
    if (/^(0|1|0?\.\d{1,6}|1\.0)$/.test(String(value))) return Number(value);
    problems.push(`${name} must be a number from 0 to 1, not ${JSON.stringify(value)}`);
    return undefined;
  };
  const flag = (name: string): boolean => {
    const value: unknown = node.tryGetContext(name);
    if (!isGiven(name)) return false;
    if (/^(true|false)$/.test(String(value))) return String(value) === 'true';
    problems.push(
      `${name} must be true or false${name === 'privateSubnets' ? ', or added' : ''}, not ${JSON.stringify(value)}`,
    );
    return false;
  };

  const list = (name: string, fits: (item: string) => boolean, expected: string): string[] | undefined => {
    const items = text(name)
      ?.split(',')
      .map((item) => item.trim());
    for (const item of items?.filter((it) => !fits(it)) ?? [])
      problems.push(`${name} must be ${expected}, not ${JSON.stringify(item)}`);
    return items;
  };

  const home = text('home', /^(container|function|both)$/, 'container, function or both');
  const auth = text('auth', /^(key|jwt|iam|none)$/, 'key, jwt, iam or none');
  const clientCa = text('clientCa', s3Object, 'the authorities as PEM in S3, s3://BUCKET/KEY');
  const deployment = text('deployment', /^(rolling|canary)$/, 'rolling or canary');
  const telemetry = text('telemetry', /^(adot|otlp|none)$/, 'adot, otlp or none');
  const traceParents = text('traceParents', /^(follow|link)$/, 'follow or link');
  const traceRatio = ratio('traceRatio') ?? defaultTraceRatio;
  const options: Options = {
    home: home === 'function' || home === 'both' ? home : 'container',
    domainName: text('domainName', hostName, 'a name such as users.example.com'),
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
    privateSubnets:
      isGiven('privateSubnets') && node.tryGetContext('privateSubnets') === 'added'
        ? 'added'
        : flag('privateSubnets'),
    vpcId: text('vpcId', /^vpc-[0-9a-f]{8,17}$/, 'the id of a VPC, such as vpc-0123456789abcdef0'),
    cpu: number('cpu'),
    memoryMiB: number('memoryMiB'),
    minTasks: number('minTasks'),
    maxTasks: number('maxTasks'),
    spotShare: number('spotShare'),
    deployment: deployment === 'canary' ? 'canary' : 'rolling',
    edge: flag('edge'),
    edgeName: text('edgeName', hostName, 'a name such as api.example.com'),
    edgeCertificateArn: text(
      'edgeCertificateArn',
      /^arn:[\w-]+:acm:us-east-1:.+:certificate\/.+$/,
      'the ARN of a certificate in ACM in us-east-1, where CloudFront looks for it',
    ),
    auth: authOf(auth, isGiven('clientCa')),
    authIssuer: text('authIssuer', /^https:\/\/[^\s/]+\S*$/, 'the https URL of an issuer'),
    authAudience: text('authAudience', /^\S+$/, 'a text without spaces'),
    clientCa,
    clientScopes: text('clientScopes'),
    allowedCidrs: list(
      'allowedCidrs',
      isPeer,
      'networks of IPv4 such as 203.0.113.0/24, separated by commas',
    ),
    corsOrigins: list('corsOrigins', isOrigin, expectedOrigins),
    internal: flag('internal'),
    maxReadUnits: number('maxReadUnits', 1),
    maxWriteUnits: number('maxWriteUnits', 1),
    tokensPerSecond: number('tokensPerSecond'),
    wafRatePerIp: number('wafRatePerIp', 10),
    baseImage: text('baseImage'),
    timeoutSeconds: number('timeoutSeconds', 3),
    maxEnvironments: number('maxEnvironments'),
    rateLimit: number('rateLimit'),
    regions: list('regions', (it) => /^[a-z]{2}(-[a-z]+)+-\d$/.test(it), 'regions such as eu-central-1'),
    alarmTopicArn: text('alarmTopicArn', /^arn:[\w-]+:sns:.+$/, 'the ARN of an SNS topic'),
    telemetry:
      telemetry === 'adot' || telemetry === 'otlp'
        ? { kind: telemetry, traceRatio, traceParents: traceParents === 'follow' ? 'follow' : 'link' }
        : undefined,
    stage: text('stage', /^[a-z][a-z0-9-]{0,31}$/i, 'letters, digits and hyphens, 32 at the most'),
    tags: tagsOf(list('tags', (it) => tag.test(it), 'tags such as team=payments,cost-center=42')),
    accessLogs: flag('accessLogs'),
    zonalShift: flag('zonalShift'),
    protected: flag('protected'),
    disposable: flag('disposable'),
  };

  // CDK's own context has other names, such as aws:cdk:… and @aws-cdk/…, and what `cdk acknowledge` writes.
  const names = [...known];
  known.add('acknowledged-issue-numbers');
  for (const name of Object.keys(node.getAllContext())) {
    if (!/^[\w.-]+$/.test(name) || known.has(name)) continue;
    const meant = names.find((it) => likeness(it) === likeness(name) || isSlip(likeness(name), likeness(it)));
    problems.push(`${name} is no option: ${meant ? `did you mean ${meant}?` : `use ${names.join(', ')}`}`);
  }

  // Of what was given, used or not: one that is refused above has not been forgotten.
  const [domainName, hostedZone, certificateArn] = ['domainName', 'hostedZone', 'certificateArn'].map(
    isGiven,
  );
  if (hostedZone && certificateArn) {
    problems.push('hostedZone makes a certificate: give either it or certificateArn');
  }
  // A function has a name of one's own at CloudFront alone.
  const isFunction = options.home === 'function';
  if (hostedZone && !domainName && !isFunction) {
    problems.push('hostedZone needs domainName, the name to make in it');
  }
  if (domainName && !hostedZone && !certificateArn && !isFunction) {
    problems.push('domainName needs hostedZone (the id of its Route 53 zone), or certificateArn');
  }
  if (certificateArn && !domainName)
    problems.push('certificateArn needs domainName, the name that it is for');
  if (options.edge && !domainName && !isFunction) {
    problems.push('edge needs domainName: CloudFront trusts no self-issued certificate');
  }
  problems.push(...contradictions(options, isGiven), ...homeContradictions(options, isGiven));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return options;
}

/** What is the same in `minTasks`, `mintasks` and `min-tasks`. */
const likeness = (name: string): string => name.toLowerCase().replaceAll(/[._-]/g, '');

const hostName = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i;

/** A key and a value, as CloudFormation takes them; `aws:` is AWS's own. */
const tag = /^(?!aws:)[\w.:/+@ -]{1,128}=[\w.:/=+@ -]{0,256}$/;

function tagsOf(items: readonly string[] | undefined): Record<string, string> | undefined {
  return items && Object.fromEntries(items.map((it) => [it.split('=')[0], it.slice(it.indexOf('=') + 1)]));
}

function authOf(given: string | undefined, hasClientCa: boolean): Auth {
  if (given === 'jwt' || given === 'none' || given === 'key' || given === 'iam') return given;
  return hasClientCa ? 'certificate' : 'key';
}
