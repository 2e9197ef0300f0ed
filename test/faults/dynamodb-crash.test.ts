// The server process, with users in DynamoDB, is killed with SIGKILL at random moments while many sign up, change name,
// address and password, log in and leave, again and again on the same table: 3 times, or a fifth of CRASH_ROUNDS
// (`npm run test:faults`: 40). Afterwards all that was acknowledged is there, each user with its name and its address
// and each of these with its user, and repeating what was not acknowledged with its request id ends with it exactly
// once. The table is a double's, which applies a transaction whole: that ours are whole is what this proves.
import { test } from 'node:test';
import { ServerProcess } from '../support/process.ts';
import { endpoint, withoutEndpoint } from '../users/stores/dynamodb-setting.ts';
import { testTable } from '../users/stores/dynamodb-table.ts';
import { crashSettings, survivesKills } from './crash.ts';
import { keptInDynamo } from './kept-dynamodb.ts';

const { CRASH_ROUNDS, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = process.env;
const rounds = CRASH_ROUNDS === undefined ? 3 : Math.ceil(Number(CRASH_ROUNDS) / 5);

function survives(endpoint: string): void {
  test(`DynamoDB survives ${rounds} kills under sign-ups, changes and removals`, async (context) => {
    const table = await testTable(endpoint);
    context.after(() => table.remove());
    const settings = {
      ...crashSettings,
      ...{ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION },
      USERS_STORE: 'dynamodb',
      USERS_TABLE: table.name,
      DYNAMODB_ENDPOINT: endpoint,
    };
    context.diagnostic(
      await survivesKills({
        rounds,
        start: () => new ServerProcess({ settings }),
        read: () => keptInDynamo(table),
      }),
    );
  });
}

if (endpoint === undefined) withoutEndpoint('DynamoDB survives kills');
else survives(endpoint);
