import {
  loadConfig,
  NODE_REGION_CONFIG_FILE_OPTIONS,
  NODE_REGION_CONFIG_OPTIONS,
  NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS,
  NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS,
} from '@smithy/core/config';

/** Where DynamoDB is, and for which region requests are signed. */
export interface DynamoEndpoint {
  readonly url: URL;
  readonly region: string;
}

/**
 * Domains of partitions where it is not `amazonaws.com`, by how their regions begin, and of dual stack where it is not
 * `api.aws`. Isolated partitions are reached by `AWS_ENDPOINT_URL_DYNAMODB`.
 */
const partitions = [
  { begins: 'cn-', domain: 'amazonaws.com.cn', dualStack: 'api.amazonwebservices.com.cn' },
  { begins: 'eusc-', domain: 'amazonaws.eu', dualStack: 'api.amazonwebservices.eu' },
  { begins: '', domain: 'amazonaws.com', dualStack: 'api.aws' },
];

/**
 * Finds DynamoDB as the AWS SDKs do: by `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL` or the profile's
 * `endpoint_url`, else by the region, of `AWS_REGION` or the profile
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
 *
 * @param given goes before all of them
 * @throws Error if there is no region, or the URL is none
 */
export async function findEndpoint(given?: string): Promise<DynamoEndpoint> {
  const region = await loadConfig(NODE_REGION_CONFIG_OPTIONS, NODE_REGION_CONFIG_FILE_OPTIONS)();
  const url = given ?? (await configuredUrl());
  if (url !== undefined) return { url: new URL(url), region: regionOf(url) ?? region };
  const [isDualStack, isFips] = await Promise.all([
    loadConfig(NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS)(),
    loadConfig(NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS)(),
  ]);
  const { domain, dualStack } = partitions.find(({ begins }) => region.startsWith(begins)) ?? {};
  const service = isFips ? 'dynamodb-fips' : 'dynamodb';
  return { url: new URL(`https://${service}.${region}.${isDualStack ? dualStack : domain}`), region };
}

/** A table may be in another region than the process: the name of AWS's own endpoint says in which. */
function regionOf(url: string): string | undefined {
  return /^dynamodb(?:-fips)?\.([a-z]+(?:-[a-z]+)+-\d)\./.exec(new URL(url).hostname)?.[1];
}

function configuredUrl(): Promise<string | undefined> {
  return loadConfig<string | undefined>({
    environmentVariableSelector: (env) => env.AWS_ENDPOINT_URL_DYNAMODB || env.AWS_ENDPOINT_URL || undefined,
    configFileSelector: (profile) => profile.endpoint_url,
    default: async () => undefined,
  })();
}
