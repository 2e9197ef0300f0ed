import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, hasEnded } from './command.ts';
import { Deployed } from './deployed.ts';
import { type Certificate, freePort } from './load-balancer.ts';

/** What the SDKs and the CDK CLI need to meet the APIs of a rehearsal, and no others. */
export const credentials = {
  AWS_ACCESS_KEY_ID: 'rehearsal',
  AWS_SECRET_ACCESS_KEY: 'rehearsal',
  AWS_SESSION_TOKEN: 'rehearsal',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
} as const;

/** The account that moto has. */
export const account = '123456789012';

/** The AWS APIs that a deployment asks, as moto. */
export class Aws implements AsyncDisposable {
  readonly url: string;

  readonly #log: string;
  readonly #process: ChildProcess;

  private constructor(url: string, log: string, running: ChildProcess) {
    this.url = url;
    this.#log = log;
    this.#process = running;
  }

  /** @param python an interpreter that has the packages of rehearsal/aws/requirements.txt */
  static async start(python: string, folder: string, root: string): Promise<Aws> {
    const log = join(folder, 'aws.log');
    const port = await freePort();
    const file = openSync(log, 'a');
    const running = spawn(python, [join(import.meta.dirname, 'aws/server.py'), String(port)], {
      stdio: ['ignore', file, file],
      env: {
        ...process.env,
        ...credentials,
        AWS_ENDPOINT_URL: `http://localhost:${port}`,
        NODE: process.execPath,
        NODE_MODULES: join(root, 'node_modules'),
        PYTHONDONTWRITEBYTECODE: '1',
      },
    });
    // By this name: S3 puts the bucket in front of it.
    const aws = new Aws(`http://localhost:${port}`, log, running);
    await aws.#ready();
    return aws;
  }

  /** A stack as it is now. @throws Error where there is none of that name */
  async stack(name: string): Promise<Deployed> {
    // The wire: rehearsal/aws/server.py.
    const { status, resources } = (await this.#rehearsal('GET', `stacks/${name}`)) as {
      status: string;
      resources: Readonly<Record<string, unknown>>;
    };
    return new Deployed(status, resources);
  }

  /** A certificate of ACM, with its key, which ACM gives to load balancers only. */
  async certificate(arn: string): Promise<Certificate> {
    return (await this.#rehearsal('GET', `certificates/${arn}`)) as Certificate;
  }

  /** Runs a function of a stack. Returns what it printed. */
  async invoke(arn: string, event: unknown): Promise<string> {
    return (await this.#rehearsal('POST', `functions/${arn}`, event)) as string;
  }

  /** From now on ACM says of every certificate that it ends in twenty days, until it is imported anew. */
  async ageCertificates(): Promise<void> {
    await this.#rehearsal('POST', 'old-certificates', {});
  }

  /** What deleted stacks left behind on purpose. */
  async retained(): Promise<{ type: string; id: string }[]> {
    return (await this.#rehearsal('GET', 'retained')) as { type: string; id: string }[];
  }

  /** Asks an API that speaks JSON, such as `secretsmanager`, `GetSecretValue`. */
  async json(service: string, action: string, input: object): Promise<Record<string, unknown>> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': action,
        // moto finds the service in the scope of the credentials, and checks no signature.
        authorization: [
          `AWS4-HMAC-SHA256 Credential=rehearsal/20260101/us-east-1/${service}/aws4_request`,
          'SignedHeaders=host',
          'Signature=none',
        ].join(', '),
      },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${action}: ${text}`);
    return JSON.parse(text);
  }

  /** The text of a secret, or of a part of it: `ARN` or `ARN:KEY::`, or of a parameter. */
  async readSecret(valueFrom: string): Promise<string> {
    if (valueFrom.includes(':ssm:')) {
      const Name = valueFrom.replace(/^.*:parameter/, '');
      const { Parameter } = await this.json('ssm', 'AmazonSSM.GetParameter', { Name, WithDecryption: true });
      return (Parameter as { Value: string }).Value;
    }
    const parts = valueFrom.split(':');
    const SecretId = parts.slice(0, 7).join(':');
    const { SecretString } = await this.json('secretsmanager', 'secretsmanager.GetSecretValue', { SecretId });
    const [key] = parts.slice(7);
    return key ? String(JSON.parse(String(SecretString))[key]) : String(SecretString);
  }

  async writeSecret(arn: string, SecretString: string): Promise<void> {
    await this.json('secretsmanager', 'secretsmanager.PutSecretValue', { SecretId: arn, SecretString });
  }

  /** What went wrong inside of the APIs, a line each; the CDK CLI tries again, and hides it. */
  async problems(): Promise<string[]> {
    const lines = (await readFile(this.#log, 'utf8')).split('\n');
    return lines.filter((it) => /^Traceback|Error on request|" 5\d\d -$|^not modelled/.test(it));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#process);
  }

  async #rehearsal(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}/rehearsal/${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; attempt < 300 && !hasEnded(this.#process); attempt++) {
      const answers = await fetch(`${this.url}/moto-api/`).then(
        ({ ok, body }) => body?.cancel().then(() => ok),
        () => false,
      );
      if (answers) return;
      await sleep(100);
    }
    throw new Error(`moto did not start; see ${this.#log}`);
  }
}
