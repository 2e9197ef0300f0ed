import { cppClient } from '../conformance/tool.ts';
import { compiledPeer } from './compiled.ts';

/** gRPC's C++ client, with messages generated from this contract; the other clients have the first version. */
export const grpcCpp = compiledPeer('grpc++, messages from this contract', async () => [await cppClient()]);
