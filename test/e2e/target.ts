import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUsersClient, type UsersClient, type UsersClientOptions } from '../../client/client.ts';
import { ServerProcess } from '../support/process.ts';

/** A running service, and how to call it. Nothing else is known of it. */
export interface Target extends AsyncDisposable {
  readonly endpoint: string;
  /** PEM. */
  readonly ca?: string;
  readonly serverName?: string;
  readonly token?: string;
}

/** The header that shows its token, if it has one. */
export function authorization({ token }: Target): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** A client of the target; to be disposed. */
export function open(target: Target, options: UsersClientOptions = {}): UsersClient {
  const { endpoint, ca, serverName, token } = target;
  return createUsersClient({ endpoint, tls: { ca }, serverName, token, ...options });
}

/** Names of users who may have been made, for whoever removes them. */
const madeNames = new Set<string>();

/** Remembers a name that a test gives to a user, so that the user is removed in the end. Returns the name. */
export function made(name: string): string {
  madeNames.add(name);
  return name;
}

/** A name that no other run of the suite uses, against whatever endpoint. Its user is removed in the end. */
export function uniqueName(): string {
  return made(`e2e-${Date.now().toString(36)}-${randomBytes(5).toString('hex')}`);
}

const removalsAtOnce = 8;

/** Removes all users whose names were made, and looks that none is left. */
export async function removeMade(target: Target): Promise<void> {
  const names = [...madeNames];
  madeNames.clear();
  using client = open(target);
  const left = names.values();
  const remove = async () => {
    for (const value of left) {
      const removal = () => client.deleteUser({ key: { key: { case: 'username', value } } });
      // The client repeats no removal by name. These names are nobody else's, so that once more does no harm.
      await removal().catch(removal);
    }
  };
  await Promise.all(Array.from({ length: removalsAtOnce }, remove));
  for await (const { result } of client.getUsers({ user: names.map((username) => ({ username })) })) {
    if (result.case !== 'missing') throw new Error(`${result.value?.username} was not removed`);
  }
}

/**
 * What the environment names: USERS_ENDPOINT, and with it USERS_CA (a PEM file), USERS_SERVER_NAME, USERS_TOKEN.
 *
 * @throws Error if there is no endpoint, or no such file
 */
export function targetFromEnvironment(): Target {
  const { USERS_ENDPOINT, USERS_CA, USERS_SERVER_NAME, USERS_TOKEN } = process.env;
  if (!USERS_ENDPOINT) {
    throw new Error(
      'set USERS_ENDPOINT, such as http://127.0.0.1:50051; and USERS_CA, USERS_SERVER_NAME, USERS_TOKEN',
    );
  }
  return {
    endpoint: USERS_ENDPOINT,
    ca: USERS_CA ? readFileSync(USERS_CA, 'utf8') : undefined,
    serverName: USERS_SERVER_NAME || undefined,
    token: USERS_TOKEN || undefined,
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * Starts a server of its own on a free port, with its users in a folder that goes with it. Disposal ends it as a
 * deployment does, with SIGTERM, and fails if it does not end well.
 *
 * @param main its entry point
 * @param token a key without which nobody may call. Default: everybody may
 */
export async function startTarget(main: string, token?: string): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'users-e2e-'));
  const server = new ServerProcess({
    args: [main],
    settings: { USERS_DATA: folder, USERS_SAMPLES: '1', API_KEY: token },
  });
  return {
    endpoint: await server.url(),
    token,
    async [Symbol.asyncDispose]() {
      try {
        await server.stop();
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}
