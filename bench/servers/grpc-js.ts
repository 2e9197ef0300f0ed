// @grpc/grpc-js, bare, with the protobuf code that all servers in Node use here.
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { Users } from '../../proto/gen/users_pb.js';
import type {
  CreateUserRequest,
  CreateUserResult,
  GetUsersRequest,
  GetUsersResult,
} from '../../proto/gen/users_types_pb.js';
import { createUser, getUsers } from './answers.ts';

const service = {
  createUser: definition(Users.method.createUser),
  getUsers: definition(Users.method.getUsers),
};

const single: handleUnaryCall<CreateUserRequest, CreateUserResult> = (call, callback) =>
  callback(null, createUser(call.request));

const many: handleServerStreamingCall<GetUsersRequest, GetUsersResult> = (call) => {
  const results = getUsers(call.request);
  const write = () => {
    for (let next = results.next(); ; next = results.next()) {
      if (next.done) return call.end();
      if (!call.write(next.value)) return call.once('drain', write);
    }
  };
  write();
};

const server = new Server();
server.addService(service, { createUser: single, getUsers: many });
server.bindAsync(`127.0.0.1:${process.env.PORT}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});

function definition<I extends DescMessage, O extends DescMessage>(method: {
  readonly input: I;
  readonly output: O;
  readonly name: string;
  readonly methodKind: string;
  readonly parent: { readonly typeName: string };
}): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === 'server_streaming',
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message) => bufferOf(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

/** The same bytes, not a copy. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
