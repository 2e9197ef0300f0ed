import { run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer, PeerTarget } from './peer.ts';
import { relayChecks } from './report.ts';
import { startServer } from './server.ts';

/**
 * A client that is a program of its own: it gets its target by the environment, prints its checks, and is run once more
 * against a server with TLS where the target is ours.
 *
 * @param command builds it, and gives the words that start it
 */
export function compiledPeer(name: string, command: () => Promise<readonly [string, ...string[]]>): Peer {
  return {
    name,
    async run(target, check) {
      const [program, ...words] = await command();
      const call = async (to: PeerTarget, prefix: string) => {
        const { output } = await run(program, words, {
          env: {
            HOST: to.host,
            PORT: String(to.port),
            CA_FILE: to.caFile ?? '',
            TOKEN: to.token ?? '',
            NAME: uniqueName(),
          },
        });
        await relayChecks(output, check, prefix);
      };
      await call(target, '');
      if (process.env.USERS_ENDPOINT === undefined) {
        await using secured = await startServer(true);
        await call(secured, 'TLS: ');
      }
    },
  };
}
