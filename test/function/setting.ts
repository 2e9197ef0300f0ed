import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { domainName, FunctionPlatform, type PlatformOptions } from '../../rehearsal/function/platform.ts';
import { type Revision, zipFolder } from '../../rehearsal/function/revision.ts';
import { listen } from '../support/listener.ts';
import { root } from '../support/process.ts';
import { testTable } from '../users/stores/dynamodb-table.ts';

/** A function as the deployment makes it: the zip, a table, and the key of callers in Secrets Manager. */
export interface FunctionSetting extends AsyncDisposable {
  readonly platform: FunctionPlatform;
  readonly revision: Revision;
  /** For clients: where it is, and what to show there. */
  readonly target: {
    readonly endpoint: string;
    readonly ca: string;
    readonly serverName: string;
    readonly token: string;
  };
}

const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf';
const token = 'a-key-of-twenty-letters-or-more';

/**
 * Starts a function on DynamoDB at the endpoint.
 *
 * @param environment more of its environment
 */
export async function startFunction(
  dynamodb: string,
  options: PlatformOptions = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<FunctionSetting> {
  const folder = mkdtempSync(join(tmpdir(), 'function-'));
  const table = await testTable(dynamodb);
  const secrets = await listen(
    createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1', connection: 'close' });
      response.end(JSON.stringify({ SecretString: token }));
    }),
  );
  const zip = join(folder, 'function.zip');
  await zipFolder(join(root, 'dist/users'), zip, isLeftOut);
  const revision = {
    zip,
    environment: {
      ...ofTheRole(),
      USERS_TABLE: table.name,
      USERS_SAMPLES: '1',
      DYNAMODB_ENDPOINT: dynamodb,
      API_KEY_SECRET: secret,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
      ...(options.timeoutMs !== undefined && { FUNCTION_TIMEOUT_MS: String(options.timeoutMs) }),
      ...environment,
    },
  };
  const platform = await FunctionPlatform.start(revision, options);
  return {
    platform,
    revision,
    target: { endpoint: platform.endpoint, ca: platform.ca, serverName: domainName, token },
    async [Symbol.asyncDispose]() {
      await platform[Symbol.asyncDispose]();
      await secrets[Symbol.asyncDispose]();
      await table.remove();
      rmSync(folder, { recursive: true });
    },
  };
}

/** As `RpcFunction` leaves out. */
const isLeftOut = (name: string) => name.endsWith('.map') || ['data.mjs', 'compile.mjs'].includes(name);

/** What the platform gives of the role and the region: those of the test, whose tables are not others'. */
function ofTheRole(): Record<string, string> {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_REGION = '' } = process.env;
  return { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION };
}
