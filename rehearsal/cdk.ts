import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { account, credentials } from './aws.ts';
import { run } from './command.ts';
import type { Subject } from './subject.ts';

/** The repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** The CDK CLI as a user runs it, but that the AWS APIs are those of the rehearsal. */
export class Cdk {
  readonly #subject: Subject;
  readonly #awsUrl: string;
  readonly #folder: string;

  /** @param folder where it writes what it synthesises, and the outputs of the stack */
  constructor(subject: Subject, awsUrl: string, folder: string) {
    this.#subject = subject;
    this.#awsUrl = awsUrl;
    this.#folder = folder;
  }

  /** What makes the AWS APIs those of the rehearsal, for the CDK CLI and for checks. */
  get environment(): Readonly<Record<string, string>> {
    return {
      ...credentials,
      AWS_ENDPOINT_URL: this.#awsUrl,
      CDK_DOCKER: join(import.meta.dirname, 'aws/docker'),
      CDK_DISABLE_VERSION_CHECK: '1',
      CDK_DISABLE_CLI_TELEMETRY: 'true',
    };
  }

  /** Prepares the account. */
  async bootstrap(): Promise<void> {
    await this.#run('bootstrap', `aws://${account}/${credentials.AWS_REGION}`);
  }

  /** Deploys the stack, with options of the app beside the subject's own. */
  async deploy(context: Readonly<Record<string, string>>): Promise<void> {
    const how = ['--method', 'direct', '--require-approval', 'never', '--outputs-file', this.#outputsFile];
    await this.#run('deploy', this.#subject.stack, ...how, ...this.#options(context));
  }

  /** @throws CommandFailed with the differences, where another deployment would change something */
  async diff(): Promise<void> {
    await this.#run('diff', this.#subject.stack, '--fail', '--method', 'template', ...this.#options());
  }

  /** Deletes the stack. */
  async destroy(): Promise<void> {
    await this.#run('destroy', this.#subject.stack, '--force', ...this.#options());
  }

  /** The outputs of the stack, as the last deployment wrote them. */
  async outputs(): Promise<Readonly<Record<string, string>>> {
    const written: Record<string, Record<string, string>> = JSON.parse(
      await readFile(this.#outputsFile, 'utf8'),
    );
    return written[this.#subject.stack] ?? {};
  }

  get #outputsFile(): string {
    return join(this.#folder, 'outputs.json');
  }

  #options(context: Readonly<Record<string, string>> = {}): string[] {
    const given = Object.entries({ ...this.#subject.context, ...context });
    return given.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  async #run(command: string, ...args: readonly string[]): Promise<void> {
    const app = this.#subject.app ? ['--app', this.#subject.app] : [];
    const output = ['--output', join(this.#folder, 'cdk.out')];
    await run('npx', ['cdk', command, ...app, ...output, ...args], {
      cwd: root,
      env: { ...process.env, ...this.environment },
    });
  }
}
