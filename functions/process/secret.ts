import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { ConfigError, type Environment } from './settings.ts';
import { Sha256 } from './sha256.ts';

/** From the request for the secret to the end of its answer: a start that waits longer is better begun anew. */
const timeoutMs = 5_000;

/**
 * Sets each of the settings to what a secret of AWS Secrets Manager holds, if its name and `_SECRET` is set: that is
 * the secret's ARN. For homes that put no secret into the environment themselves, as ECS does, so that a key stands in
 * no configuration. The credentials are those that the AWS SDK finds; AWS_ENDPOINT_URL_SECRETS_MANAGER is another
 * address than AWS's, as for the SDKs.
 *
 * @throws ConfigError in one line that shows nothing of a secret, if it can't be read
 */
export async function withSecrets(env: Environment, names: readonly string[]): Promise<Environment> {
  const read = names.map(async (name): Promise<[string, string]> => [name, await secretOf(env, name)]);
  return { ...env, ...Object.fromEntries(await Promise.all(read)) };
}

async function secretOf(env: Environment, name: string): Promise<string> {
  const setting = `${name}_SECRET`;
  const arn = env[setting] ?? '';
  const [, region] = /^arn:[\w-]+:secretsmanager:([\w-]+):\d{12}:secret:.+$/.exec(arn) ?? [];
  if (region === undefined) {
    throw new ConfigError([`${setting} must be the ARN of a secret in Secrets Manager, not "${arn}"`]);
  }
  if (env[name]) throw new ConfigError([`${setting} says where ${name} is: remove one of them`]);
  const url = new URL(
    env.AWS_ENDPOINT_URL_SECRETS_MANAGER || `https://secretsmanager.${region}.amazonaws.com/`,
  );
  try {
    return await secretString(url, region, arn);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`${setting} (${arn}) can't be read: ${reason}`]);
  }
}

/** @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
async function secretString(url: URL, region: string, arn: string): Promise<string> {
  const body = JSON.stringify({ SecretId: arn });
  const signer = new SignatureV4({
    service: 'secretsmanager',
    region,
    credentials: defaultProvider(),
    sha256: Sha256,
  });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: {
      host: url.host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'secretsmanager.GetSecretValue',
    },
    body,
    ...(url.port !== '' && { port: Number(url.port) }),
  });
  const { host: _, ...sent } = headers; // fetch writes it itself
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { method: 'POST', headers: sent, body, signal });
  const answer: unknown = await response.json();
  const { SecretString: secret, __type: type } = Object(answer) as Record<string, unknown>; // JSON: whatever it is
  if (!response.ok) throw new Error(`${response.status} ${typeof type === 'string' ? type : ''}`.trimEnd());
  if (typeof secret !== 'string') throw new Error('it holds no text');
  return secret;
}
