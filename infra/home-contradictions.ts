import type { Options } from './context.ts';

/** What only containers behind a load balancer have. */
export const ofContainers = [
  'certificateArn',
  'privateSubnets',
  'cpu',
  'memoryMiB',
  'minTasks',
  'maxTasks',
  'deployment',
  'clientCa',
  'clientScopes',
  'allowedCidrs',
  'internal',
  'wafRatePerIp',
  'baseImage',
  'telemetry',
  'traceRatio',
  'traceParents',
  'protected',
  'vpcId',
  'spotShare',
  'accessLogs',
  'zonalShift',
];

/** What only a function has. */
export const ofFunctions = ['timeoutSeconds', 'maxEnvironments', 'rateLimit', 'regions'];

/** What can't be meant for the home that is chosen: a line each. */
export function homeContradictions(
  { home, auth, edge, maxEnvironments, rateLimit, timeoutSeconds }: Options,
  isGiven: (name: string) => boolean,
): string[] {
  const problems: string[] = [];
  const refuse = (is: boolean, problem: string) => is && problems.push(problem);
  for (const name of home === 'function' ? ofContainers : []) {
    refuse(isGiven(name), `${name} is for containers: leave it out with home=function`);
  }
  refuse(
    home === 'function' && isGiven('domainName'),
    'domainName is for containers: a function has a name of yours at CloudFront alone, by edge, edgeName and edgeCertificateArn',
  );
  refuse(
    home === 'function' && isGiven('hostedZone') && !isGiven('edgeName'),
    'hostedZone needs edgeName, the name to make in it',
  );
  refuse(
    auth === 'iam' && edge,
    'auth=iam and edge: callers sign for the name of the endpoint, and CloudFront has another; take auth=key or jwt',
  );
  refuse(
    auth === 'iam' && isGiven('regions'),
    'auth=iam and regions: an endpoint in several regions wants SigV4a, which the client does not sign; leave regions out, or take auth=key or jwt',
  );
  refuse(
    auth === 'iam' && isGiven('corsOrigins'),
    'auth=iam and corsOrigins: a browser asks first without a signature, which AWS refuses; take auth=key or jwt',
  );
  for (const name of home === 'container' ? ofFunctions : []) {
    refuse(isGiven(name), `${name} is for a function: set home=function or both, or leave it out`);
  }
  refuse(
    auth === 'iam' && home !== 'function',
    'auth=iam needs home=function: a load balancer knows no signatures',
  );
  refuse(
    home === 'both' && isGiven('clientCa'),
    'clientCa and home=both: a function is shown no client certificate; deploy it by itself, with auth=key or iam',
  );
  refuse(
    timeoutSeconds !== undefined && timeoutSeconds > 900,
    `timeoutSeconds must be from 3 to 900, not ${timeoutSeconds}`,
  );
  refuse(
    maxEnvironments !== undefined && maxEnvironments < 2,
    `maxEnvironments must be at least 2, not ${maxEnvironments}`,
  );
  refuse(
    rateLimit !== undefined && !isRate(rateLimit),
    `rateLimit must be 0, 100 to 1000 in hundreds, or 2000 to 10000 in thousands, not ${rateLimit}`,
  );
  return problems;
}

/** Source: "rateLimit" of `WebFunctionDefaultEndpointOptions` in aws-cdk-lib. */
function isRate(rate: number): boolean {
  return rate <= 1000 ? rate % 100 === 0 : rate % 1000 === 0 && rate <= 10_000;
}
