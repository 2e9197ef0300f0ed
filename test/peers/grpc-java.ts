import { javaClient, run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer, PeerTarget } from './peer.ts';
import { relayChecks } from './report.ts';
import { startServer } from './server.ts';

/** grpc-java, on Netty, with messages generated from the first version of the contract. */
export const grpcJava: Peer = {
  name: 'grpc-java, messages from the first version of the contract',
  async run(target, check) {
    const classPath = await javaClient();
    const call = async (to: PeerTarget, prefix: string) => {
      // The first compiler alone: the process is short.
      const { output } = await run('java', ['-XX:TieredStopAtLevel=1', '-cp', classPath, 'UsersClient'], {
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
