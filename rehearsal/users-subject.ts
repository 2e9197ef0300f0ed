import { randomBytes } from 'node:crypto';
import { baseImage } from './base-image.ts';
import type { Endpoint } from './endpoint.ts';
import type { Calls } from './load.ts';
import { SignedUp } from './signed-up.ts';
import type { Subject } from './subject.ts';
import { everyKindOfCall } from './users-calls.ts';

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
  const users = new SignedUp(endpoint);
  return { kinds: everyKindOfCall(endpoint, users, maxAttempts), lost: () => users.lost() };
}
