import type { Options } from './context.ts';

/**
 * What of who may call, and from where, can't be meant together: a line each. `isGiven`: whether an option was, fit or
 * not.
 */
export function contradictions(options: Options, isGiven: (name: string) => boolean): string[] {
  const { auth, edge, internal, allowedCidrs = [], clientScopes, telemetry, stage, tags } = options;
  const problems: string[] = [];
  const refuse = (is: boolean, problem: string) => is && problems.push(problem);
  for (const name of ['authIssuer', 'authAudience']) {
    const what = name === 'authIssuer' ? 'whose tokens are taken' : 'what they must be for';
    refuse(auth === 'jwt' && !isGiven(name), `auth=jwt needs ${name}: ${what}`);
    refuse(auth !== 'jwt' && isGiven(name), `${name} is for tokens: set auth=jwt, or leave it out`);
  }
  refuse(
    auth === 'jwt' && options.privateSubnets !== false,
    'auth=jwt needs a way to the issuer, which privateSubnets take from the tasks: leave one of them out',
  );
  refuse(
    auth === 'none' && isGiven('clientCa'),
    'auth=none lets everybody in, and clientCa only those with a certificate: leave one of them out',
  );
  refuse(
    isGiven('clientScopes') && !isGiven('clientCa'),
    'clientScopes needs clientCa, whose certificates they are for',
  );
  refuse(
    clientScopes !== undefined && !isScopeTable(clientScopes),
    `clientScopes must be JSON such as {"spiffe://example.com/billing":["users.read"]}, not ${clientScopes}`,
  );
  refuse(
    isGiven('vpcId') && options.privateSubnets !== false,
    'privateSubnets shapes a new network, and vpcId is one that is there: leave one of them out',
  );
  for (const name of ['traceRatio', 'traceParents']) {
    refuse(
      isGiven(name) && !isGiven('telemetry'),
      `${name} is for telemetry: set that to adot or otlp, or leave ${name} out`,
    );
  }
  refuse(
    telemetry?.kind === 'adot' && options.privateSubnets !== false,
    "telemetry=adot and privateSubnets: the collector's image is in a public registry, out of reach of such tasks; take telemetry=otlp",
  );
  refuse(
    options.protected && options.disposable,
    'protected keeps the load balancer, and disposable is for what goes without a question: leave one of them out',
  );
  refuse(
    stage !== undefined && tags?.stage !== undefined && tags.stage !== stage,
    `tags: the tag stage is that of the option, ${stage}: leave it out of tags`,
  );
  for (const [name, other] of [
    ['edgeName', 'edgeCertificateArn'],
    ['edgeCertificateArn', 'edgeName'],
  ] as const) {
    refuse(isGiven(name) && !edge, `${name} is for CloudFront: set edge=true, or leave it out`);
    refuse(isGiven(name) && !isGiven(other), `${name} needs ${other}: CloudFront takes both or none`);
  }
  refuse(
    options.edgeName !== undefined && options.edgeName.toLowerCase() === options.domainName?.toLowerCase(),
    'edgeName must be another name than domainName, by which CloudFront finds the load balancer',
  );
  refuse(
    edge && isGiven('clientCa'),
    'clientCa and edge: CloudFront shows the load balancer no client certificate',
  );
  refuse(
    edge && internal,
    'internal and edge: CloudFront comes from the internet, from where an internal load balancer is out of reach',
  );
  refuse(
    edge && allowedCidrs.some((it) => !it.startsWith('pl-')),
    'allowedCidrs and edge: the load balancer meets CloudFront, not clients; only prefix lists (pl-…) make sense',
  );
  refuse(
    edge && isGiven('wafRatePerIp'),
    "wafRatePerIp and edge: the load balancer would count CloudFront's addresses, not clients",
  );
  return problems;
}

/** Whether a text is a JSON object of lists of texts. */
function isScopeTable(json: string): boolean {
  try {
    const table: unknown = JSON.parse(json);
    if (typeof table !== 'object' || table === null || Array.isArray(table)) return false;
    return Object.values(table).every(
      (it) => Array.isArray(it) && it.every((scope) => typeof scope === 'string'),
    );
  } catch {
    return false;
  }
}
