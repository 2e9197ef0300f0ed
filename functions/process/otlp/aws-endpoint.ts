/** What a request to AWS is signed for. */
export interface Signing {
  /** `xray` or `monitoring`. */
  readonly service: string;
  readonly region: string;
}

/**
 * CloudWatch takes OTLP with a signature (SigV4) at its own endpoints
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html). `undefined` for all
 * others.
 */
export function signingOf(url: string): Signing | undefined {
  const { protocol, hostname } = new URL(url);
  const [, service, region] =
    /^(xray|monitoring)\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/.exec(hostname) ?? [];
  if (protocol !== 'https:' || service === undefined || region === undefined) return undefined;
  return { service, region };
}
