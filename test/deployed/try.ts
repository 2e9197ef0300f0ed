// Calls a deployed service as its clients do, once by each way in, and writes nothing: it ends with 0 if load balancer,
// key, server and table work together.
//
//   node test/deployed/try.ts [FILE] [--http1]      FILE is what readEndpoint reads, outputs.json without it;
//                                                   --http1 is for a Web Function, which carries no gRPC
import { parseArgs } from 'node:util';
import { createUsersClient, type UsersClientOptions } from '../../client/client.ts';
import type { Endpoint } from '../../rehearsal/endpoint.ts';
import { readEndpoint } from './endpoint.ts';

/** The name of a new load balancer takes a while to be known everywhere. */
const readyWithinMs = 60_000;
const callTimeoutMs = 5_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { http1: { type: 'boolean', default: false } },
});
const protocols = values.http1
  ? (['connect', 'grpc-web'] as const)
  : (['grpc', 'grpc-web', 'connect'] as const);

try {
  const endpoint = readEndpoint(positionals[0] ?? 'outputs.json');
  for (const protocol of protocols) {
    const said = await answer(endpoint, { protocol, httpVersion: values.http1 ? '1.1' : undefined });
    console.log(`${protocol}: ${said}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** What came of a call of each kind. @throws Error that says by which protocol, and what is wrong */
async function answer(
  { url, ca, serverName, token }: Endpoint,
  way: Pick<UsersClientOptions, 'protocol' | 'httpVersion'>,
): Promise<string> {
  using users = createUsersClient({ endpoint: url, tls: { ca }, serverName, token, ...way });
  try {
    await users.ready({ timeoutMs: readyWithinMs });
    // Of the service by its name: whether its store works, too.
    const status = await users.health('Users', { timeoutMs: callTimeoutMs });
    if (status !== 'SERVING') throw new Error(`health of Users is ${status}`);
    const { user } = await users.listUsers({ pageSize: 1 }, { timeoutMs: callTimeoutMs });
    return `Users is SERVING, and ListUsers answered with ${user.length} of its users`;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${url} does not answer as it should, by ${way.protocol}: ${why}`, { cause });
  }
}
