import { javaClient } from '../conformance/tool.ts';
import { compiledPeer } from './compiled.ts';

/** grpc-java, on Netty, with messages generated from the first version of the contract. */
export const grpcJava = compiledPeer(
  'grpc-java, messages from the first version of the contract',
  async () => {
    const classPath = await javaClient();
    // The first compiler alone: the process is short.
    return ['java', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'UsersClient'];
  },
);
