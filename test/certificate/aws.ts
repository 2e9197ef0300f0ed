import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { json } from 'node:stream/consumers';

/** A certificate as ACM holds it. */
export interface Imported {
  readonly Certificate: string;
  readonly PrivateKey: string;
  readonly CertificateChain: string;
}

/** What the SDK sends, of all operations. */
interface Input {
  readonly CertificateArn?: string;
  readonly Certificate?: string;
  readonly PrivateKey?: string;
  readonly CertificateChain?: string;
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly Name?: string;
  readonly Value?: string;
  readonly Overwrite?: boolean;
}

interface Failure {
  readonly operation: string;
  readonly type: string;
  /** Calls that go well before. */
  after: number;
  times: number;
}

/**
 * The few operations of ACM and SSM that the certificate function calls, over HTTP as the SDK speaks it, on a free
 * port; with failures on demand, which is what it is for. (The rehearsal runs the function against moto.)
 */
export class Aws implements AsyncDisposable {
  readonly certificates = new Map<string, Imported>();
  readonly parameters = new Map<string, string>();
  /** The tags of each certificate, as `KEY=VALUE`. */
  readonly tags = new Map<string, string[]>();
  /** When every certificate ends, by what ACM says. */
  notAfter = new Date();
  /** The operations called, in order. */
  readonly calls: string[] = [];

  readonly #server = http.createServer((request, response) => this.#handle(request, response));
  readonly #failures: Failure[] = [];

  /** Lets an operation fail so many times with an error of that type, after so many calls that go well. */
  fail(operation: string, type: string, times = 1, after = 0): void {
    this.#failures.push({ operation, type, times, after });
  }

  /** Starts it; the URL for the SDK. */
  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || !address) throw new Error('no address');
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const input = (await json(request)) as Input; // the SDK's own request
    this.calls.push(operation);
    const failure = this.#failures.find(
      (one) => one.operation === operation && one.times > 0 && one.after-- <= 0,
    );
    if (failure) failure.times--;
    const output = failure ? failure.type : this.#answer(operation, input);
    const failed = typeof output === 'string';
    response.writeHead(failed ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(failed ? { __type: output, message: 'so it was asked' } : output));
  }

  /** The output, or the name of an error. */
  #answer(operation: string, input: Input): object | string {
    const { CertificateArn: arn = '', Name: name = '', Value: value = '', Tags, Overwrite } = input;
    const tags = Tags?.map(({ Key, Value }) => `${Key}=${Value}`) ?? [];
    switch (operation) {
      case 'ImportCertificate': {
        if (arn && Tags) return 'ValidationException';
        const own = arn || `arn:aws:acm:us-east-1:123456789012:certificate/${randomUUID()}`;
        if (!arn) this.tags.set(own, tags);
        const text = (field: 'Certificate' | 'PrivateKey' | 'CertificateChain') =>
          Buffer.from(input[field] ?? '', 'base64').toString();
        this.certificates.set(own, {
          Certificate: text('Certificate'),
          PrivateKey: text('PrivateKey'),
          CertificateChain: text('CertificateChain'),
        });
        return { CertificateArn: own };
      }
      case 'AddTagsToCertificate':
        this.tags.set(arn, tags);
        return {};
      case 'DeleteCertificate':
        // By the tag alone the function may: what is gone has none.
        return this.certificates.delete(arn) ? {} : 'AccessDeniedException';
      case 'PutParameter':
        if (this.parameters.has(name) && !Overwrite) return 'ParameterAlreadyExists';
        this.parameters.set(name, value);
        return { Version: 1 };
      case 'GetParameter':
        return this.parameters.has(name)
          ? { Parameter: { Name: name, Value: this.parameters.get(name) } }
          : 'ParameterNotFound';
      case 'DeleteParameter':
        return this.parameters.delete(name) ? {} : 'ParameterNotFound';
      default:
        return this.#describe(operation, arn);
    }
  }

  #describe(operation: string, arn: string): object | string {
    if (operation !== 'DescribeCertificate') return 'UnknownOperationException';
    return this.certificates.has(arn)
      ? { Certificate: { CertificateArn: arn, NotAfter: this.notAfter.getTime() / 1000 } }
      : 'ResourceNotFoundException';
  }
}
