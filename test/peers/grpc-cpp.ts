import { cppClient } from '../conformance/tool.ts';
import { compiledPeer } from './compiled.ts';

/** gRPC's C++ client, with messages generated from the first version of the contract. */
export const grpcCpp = compiledPeer('grpc++, messages from the first version of the contract', async () => [
  await cppClient(),
]);
