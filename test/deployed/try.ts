// Calls what was deployed as its clients do, each stack once by each way in, and writes nothing.
//
//   node test/deployed/try.ts [FILE] [--http1]      FILE is what readEndpoints reads, outputs.json without it;
//                                                   --http1 leaves out what takes HTTP/2, as for a Web Function
//
// It ends with 0 if load balancer, key, server and table work together, with 1 if one that was called does not answer
// as it should, and with 2 if its caller lacks something, such as the key: that says nothing about what was deployed.
import { parseArgs } from 'node:util';
import { Code } from '@connectrpc/connect';
import { createUsersClient, type UsersClientOptions, UsersError } from '../../client/client.ts';
import { type Deployed, readEndpoints } from './endpoint.ts';

/** The name of a new load balancer takes a while to be known everywhere. */
const readyWithinMs = 60_000;
const callTimeoutMs = 5_000;

const exitCodes = { notAnswering: 1, caller: 2 } as const;

/** How a service is called. */
type Way = Pick<UsersClientOptions, 'protocol' | 'httpVersion'>;

const overHttp1: readonly Way[] = [
  { protocol: 'connect', httpVersion: '1.1' },
  { protocol: 'grpc-web', httpVersion: '1.1' },
];
const everyWay: readonly Way[] = [{ protocol: 'grpc' }, { protocol: 'grpc-web' }, { protocol: 'connect' }];

const asked = read();
let exitCode = asked === undefined ? exitCodes.caller : 0;
for (const deployed of asked?.endpoints ?? []) {
  const failed = await callAll(deployed, asked?.http1 || deployed.isFunction ? overHttp1 : everyWay);
  // One that does not answer is the worse news.
  if (exitCode !== exitCodes.notAnswering) exitCode = failed || exitCode;
}
process.exitCode = exitCode;

/** What to call. What can't be read is told in a sentence. */
function read(): { endpoints: readonly Deployed[]; http1: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { http1: { type: 'boolean', default: false } },
    });
    return { endpoints: readEndpoints(positionals[0] ?? 'outputs.json'), http1: values.http1 };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  }
}

/** Calls a service in each way until one fails, and says what came of it. Returns the exit code. */
async function callAll(deployed: Deployed, ways: readonly Way[]): Promise<number> {
  for (const way of ways) {
    try {
      console.log(`${way.protocol}: ${await answer(deployed, way)}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (isOfTheCaller(error)) {
        console.error(
          `${deployed.url} does not let the caller in, by ${way.protocol}: ${why}. USERS_TOKEN is to be a key, or a token with ` +
            'the scope users.list: docs/operating.md, "Who may call"',
        );
        return exitCodes.caller;
      }
      console.error(`${deployed.url} does not answer as it should, by ${way.protocol}: ${why}`);
      return exitCodes.notAnswering;
    }
  }
  return 0;
}

/** What came of a call of each kind. @throws Error that says what is wrong */
async function answer({ url, ca, serverName, token }: Deployed, way: Way): Promise<string> {
  using users = createUsersClient({ endpoint: url, tls: { ca }, serverName, token, ...way });
  await users.ready({ timeoutMs: readyWithinMs });
  // Of the service by its name: whether its store works, too.
  const status = await users.health('Users', { timeoutMs: callTimeoutMs });
  if (status !== 'SERVING') throw new Error(`health of Users is ${status}`);
  const { user } = await users.listUsers({ pageSize: 1 }, { timeoutMs: callTimeoutMs });
  return `Users at ${url} is SERVING, and ListUsers answered with ${user.length} of its users`;
}

/** Whether what was shown does not suffice. A proxy that lacks its proof was deployed so. */
function isOfTheCaller(error: unknown): boolean {
  if (!(error instanceof UsersError)) return false;
  const isDenied = error.code === Code.PermissionDenied && error.reason !== 'BESIDE_PROXY';
  return isDenied || error.code === Code.Unauthenticated;
}
