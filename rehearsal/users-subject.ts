import { randomBytes } from 'node:crypto';
import { createUsersClient } from '../client/client.ts';
import { baseImage } from './base-image.ts';
import type { Endpoint } from './endpoint.ts';
import type { Calls } from './load.ts';
import type { Subject } from './subject.ts';
import { everyKindOfCall } from './users-calls.ts';

/** Users that one check asks for. */
const checkedAtOnce = 500;

/** The Users service, as `npx cdk deploy` deploys it. */
export const users: Subject = {
  stack: 'Users',
  context: { baseImage },
  change: { memoryMiB: '1024' },
  checks: [
    '.ci/cloud/refused "$REHEARSAL_ENDPOINT"',
    '.ci/cloud/refused "$REHEARSAL_ENDPOINT" <(printf \'a%.0s\' {1..43})',
    'npm run --silent test:deployed -- "$REHEARSAL_ENDPOINT"',
  ],
  environment: (token): Record<string, string> => (token === undefined ? {} : { USERS_TOKEN: token }),
  async token(stage) {
    const { ApiKeySecret } = await stage.cdk.outputs();
    if (!ApiKeySecret) return undefined;
    const [first] = (await stage.aws.readSecret(ApiKeySecret)).split(/\s+/);
    return first;
  },
  calls,
  rotation: {
    async add(stage) {
      const { ApiKeySecret = '' } = await stage.cdk.outputs();
      const former = await stage.aws.readSecret(ApiKeySecret);
      await stage.aws.writeSecret(ApiKeySecret, `${randomBytes(32).toString('hex')}\n${former}`);
      return former;
    },
    async drop(stage) {
      const { ApiKeySecret = '' } = await stage.cdk.outputs();
      const [latest = ''] = (await stage.aws.readSecret(ApiKeySecret)).split(/\s+/);
      await stage.aws.writeSecret(ApiKeySecret, latest);
    },
    refusal: '.ci/cloud/refused "$REHEARSAL_ENDPOINT" <(printf %s "$REHEARSAL_FORMER")',
  },
};

function calls(endpoint: Endpoint, maxAttempts: number): Calls {
  const run = randomBytes(6).toString('hex');
  const names: string[] = [];
  let count = 0;
  const next = () => `load-${run}-${count++}`;
  return {
    kinds: everyKindOfCall(endpoint, { names, next }, maxAttempts),
    async lost() {
      const { url, ca, serverName, token } = endpoint;
      using client = createUsersClient({ endpoint: url, serverName, token, tls: { ca } });
      const lost: string[] = [];
      for (let from = 0; from < names.length; from += checkedAtOnce) {
        const user = names.slice(from, from + checkedAtOnce).map((username) => ({ username }));
        for await (const { result } of client.getUsers({ user })) {
          if (result.case !== 'user') lost.push(`${result.value?.username} was signed up, and is gone`);
        }
      }
      return { acknowledged: names.length, lost };
    },
  };
}
