import { cppClient, run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer, PeerTarget } from './peer.ts';
import { relayChecks } from './report.ts';
import { startServer } from './server.ts';

/** gRPC's C++ client, with messages generated from the first version of the contract. */
export const grpcCpp: Peer = {
  name: 'grpc++, messages from the first version of the contract',
  async run(target, check) {
    const client = await cppClient();
    const call = async (to: PeerTarget, prefix: string) => {
      const { output } = await run(client, [], {
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
