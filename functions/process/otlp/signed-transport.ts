import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../sha256.ts';
import type { Signing } from './aws-endpoint.ts';
import { HttpTransport } from './http-transport.ts';
import type { OtlpEndpoint } from './settings.ts';

/** Where credentials come from: as the AWS SDK finds them, or in tests given ones. */
export type Credentials = ConstructorParameters<typeof SignatureV4>[0]['credentials'];

/** Sends OTLP to AWS with a signature of each request, of each retry too: it is good for some minutes only. */
export class SignedTransport extends HttpTransport {
  readonly #signer: SignatureV4;

  constructor(endpoint: OtlpEndpoint, signing: Signing, credentials: Credentials = defaultProvider()) {
    super(endpoint);
    this.#signer = new SignatureV4({ ...signing, credentials, sha256: Sha256 });
  }

  protected override async headersOf(body: Buffer, given: Record<string, string>) {
    const { protocol, hostname, port, host, pathname, searchParams } = this.url;
    const { headers } = await this.#signer.sign({
      method: 'POST',
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...given, host },
      body,
      ...(port !== '' && { port: Number(port) }),
    });
    return headers;
  }
}
