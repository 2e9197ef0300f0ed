import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Endpoint } from '../../rehearsal/endpoint.ts';

/** A service that was deployed. */
export interface Deployed extends Endpoint {
  /** Whether it is a Web Function, which takes HTTP/1.1 and no gRPC. */
  readonly isFunction: boolean;
}

/**
 * Reads where services were deployed: of the file that `cdk deploy --outputs-file` wrote each stack with an `Endpoint`,
 * or the one of a rehearsal's endpoint.json. The token of all of them is USERS_TOKEN, or else the key that lies in the
 * secret which a stack names, by the AWS CLI.
 *
 * @throws Error that says how to make the file, when it can't be read or holds something else; or how to give the key,
 *   when there is a secret that can't be read
 */
export function readEndpoints(file: string): [Deployed, ...Deployed[]] {
  const token = process.env.USERS_TOKEN || undefined;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file} can't be read: deploy with --outputs-file ${file} first`, { cause });
  }
  if (isRecord(content) && typeof content.url === 'string' && typeof content.ca === 'string') {
    const { url, ca, serverName: name } = content;
    const serverName = typeof name === 'string' ? name : undefined;
    return [{ url, ca: readFileSync(ca, 'utf8'), serverName, token, isFunction: false }];
  }
  const stacks = isRecord(content) ? Object.values(content).filter(isRecord) : [];
  const [first, ...others] = stacks.filter(hasEndpoint);
  if (!first) throw new Error(`${file} has no stack with the output Endpoint`);
  // With both homes it is in the stack of the containers alone.
  const secret = stacks.map(({ ApiKeySecret }) => ApiKeySecret).find((it) => typeof it === 'string');
  const shown = token ?? (secret === undefined ? undefined : keyIn(secret));
  const read = ({ Endpoint: url, Ca: ca, Home: home }: Outputs): Deployed => ({
    url,
    ca: typeof ca === 'string' ? ca : undefined,
    serverName: undefined,
    token: shown,
    isFunction: home === 'function',
  });
  return [read(first), ...others.map(read)];
}

/** @throws Error that has what the AWS CLI says */
function keyIn(secret: string): string {
  // The region is the one in its ARN, whatever that of the AWS CLI is.
  const [, , , region = ''] = secret.split(':');
  const what = ['--query', 'SecretString', '--output', 'text', '--secret-id', secret, '--region', region];
  const { stdout, stderr, error } = spawnSync('aws', ['secretsmanager', 'get-secret-value', ...what], {
    encoding: 'utf8',
  });
  // There are two while a key is replaced; either lets in.
  const [key] = stdout?.split(/\s/) ?? [];
  if (key) return key;
  const said = error
    ? `the AWS CLI does not start (${error.message})`
    : stderr.trim().replaceAll(/\s+/g, ' ');
  throw new Error(
    `the key in ${secret} can't be read: ${said}. Set USERS_TOKEN to it, or give the AWS CLI credentials that may read it: ` +
      'docs/operating.md, "Who may call"',
  );
}

type Outputs = Record<string, unknown> & { Endpoint: string };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function hasEndpoint(value: Record<string, unknown>): value is Outputs {
  return typeof value.Endpoint === 'string';
}
