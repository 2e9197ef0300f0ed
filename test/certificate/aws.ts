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

interface Failure {
  readonly operation: string;
  readonly type: string;
  times: number;
}

/**
 * The few operations of ACM and SSM that the certificate function calls, over HTTP as the SDK speaks it, on a free
 * port; with failures on demand, which is what it is for. (The rehearsal runs the function against moto.)
 */
export class Aws implements AsyncDisposable {
  readonly certificates = new Map<string, Imported>();
  readonly parameters = new Map<string, string>();
  /** When every certificate ends, by what ACM says. */
  notAfter = new Date();
  /** The operations called, in order. */
  readonly calls: string[] = [];

  readonly #server = http.createServer((request, response) => this.#handle(request, response));
  readonly #failures: Failure[] = [];

  /** Lets an operation fail so many times with an error of that type. */
  fail(operation: string, type: string, times = 1): void {
    this.#failures.push({ operation, type, times });
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
    const input = (await json(request)) as Record<string, string>; // the SDK's own request
    this.calls.push(operation);
    const failure = this.#failures.find((one) => one.operation === operation && one.times > 0);
    if (failure) failure.times--;
    const output = failure ? failure.type : this.#answer(operation, input);
    const failed = typeof output === 'string';
    response.writeHead(failed ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(failed ? { __type: output, message: 'so it was asked' } : output));
  }

  /** The output, or the name of an error. */
  #answer(operation: string, input: Record<string, string>): object | string {
    const { CertificateArn: arn = '', Name: name = '', Value: value = '' } = input;
    switch (operation) {
      case 'ImportCertificate': {
        const own = arn || `arn:aws:acm:us-east-1:123456789012:certificate/${randomUUID()}`;
        const text = (field: string) => Buffer.from(input[field] ?? '', 'base64').toString();
        this.certificates.set(own, {
          Certificate: text('Certificate'),
          PrivateKey: text('PrivateKey'),
          CertificateChain: text('CertificateChain'),
        });
        return { CertificateArn: own };
      }
      case 'DeleteCertificate':
        return this.certificates.delete(arn) ? {} : 'ResourceNotFoundException';
      case 'PutParameter':
        if (this.parameters.has(name)) return 'ParameterAlreadyExists';
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
