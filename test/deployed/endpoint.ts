import { readFileSync } from 'node:fs';
import type { Endpoint } from '../../rehearsal/endpoint.ts';

/**
 * Reads where a service was deployed: the file that `cdk deploy --outputs-file` wrote, or the endpoint.json of a
 * rehearsal.
 *
 * @throws Error that says how to make the file, when it can't be read or holds something else; or how to get the key,
 *   when the deployment has one and USERS_TOKEN is not set
 */
export function readEndpoint(file: string): Endpoint {
  const token = process.env.USERS_TOKEN || undefined;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file} can't be read: deploy with --outputs-file ${file} first`, { cause });
  }
  if (isRecord(content) && typeof content.url === 'string' && typeof content.ca === 'string') {
    const { url, ca, serverName } = content;
    return {
      url,
      ca: readFileSync(ca, 'utf8'),
      serverName: typeof serverName === 'string' ? serverName : undefined,
      token,
    };
  }
  const outputs = isRecord(content) ? Object.values(content).find(hasEndpoint) : undefined;
  if (!outputs) throw new Error(`${file} has no stack with the output Endpoint`);
  if ('ApiKeySecret' in outputs && token === undefined) {
    throw new Error(
      'set USERS_TOKEN to the key in the secret ApiKeySecret: docs/operating.md, "Who may call"',
    );
  }
  const ca = typeof outputs.Ca === 'string' ? outputs.Ca : undefined;
  return { url: outputs.Endpoint, ca, serverName: undefined, token };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function hasEndpoint(value: unknown): value is Record<string, unknown> & { Endpoint: string } {
  return isRecord(value) && typeof value.Endpoint === 'string';
}
