import { hash } from 'node:crypto';
import type { UniversalClientFn, UniversalClientRequest } from '@connectrpc/connect/protocol';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';

/** Credentials of AWS, or what finds them: `fromNodeProviderChain()` of `@aws-sdk/credential-providers` fits. */
export type AwsCredentials = ConstructorParameters<typeof SignatureV4>[0]['credentials'];

/** How calls are signed for AWS. */
export interface IamOptions {
  /** Default: the one in the name of the endpoint, as in `….lambda-web.eu-central-1.on.aws`. */
  readonly region?: string;
  /** Default: as the AWS SDK finds them. */
  readonly credentials?: AwsCredentials;
}

/**
 * Signs each attempt of a call (SigV4) for an endpoint of AWS Lambda with `IamAuth`. That wants the hash of the whole
 * body in `X-Amz-Content-SHA256`, so a request is sent once all of its messages are there: a stream of requests waits
 * for its end. (https://docs.aws.amazon.com/lambda/latest/dg/web-functions-endpoint-access-control.html)
 *
 * @param client an HTTP client
 */
export async function signed(
  client: UniversalClientFn,
  region: string,
  credentials?: AwsCredentials,
): Promise<UniversalClientFn> {
  const signer = new SignatureV4({
    service: 'lambda',
    region,
    credentials: credentials ?? (await import('@aws-sdk/credential-provider-node')).defaultProvider(),
    sha256: Hash.bind(null, 'sha256'),
  });
  return async (request) => {
    const body = await bytesOf(request);
    const { protocol, hostname, port, host, pathname, searchParams } = new URL(request.url);
    // What proxies add or change on the way must not be signed.
    const { headers } = await signer.sign({
      method: request.method,
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { host, 'x-amz-content-sha256': hash('sha256', body, 'hex') },
      ...(port !== '' && { port: Number(port) }),
    });
    const header = new Headers(request.header);
    for (const [name, value] of Object.entries(headers)) if (name !== 'host') header.set(name, value);
    return client({ ...request, header, body: request.body && once(body) });
  };
}

async function bytesOf({ body }: UniversalClientRequest): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(body: Uint8Array): AsyncIterable<Uint8Array> {
  yield body;
}
