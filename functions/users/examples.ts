import type { JsonObject } from '@bufbuild/protobuf';
import type { Users } from '../../proto/gen/users_pb.js';

type MethodName = `Users.${Capitalize<keyof (typeof Users)['method'] & string>}`;

/** Requests to begin with, by method, in JSON: of the sample users, and of one who is not there. */
export const examples: Readonly<Record<MethodName, JsonObject>> = {
  'Users.CreateUser': { username: 'tom' },
  'Users.GetUsers': { user: [{ username: 'alexa' }, { username: 'christie' }, { username: 'nobody' }] },
  'Users.CheckPassword': { key: { username: 'tom' }, password: '' },
  'Users.GetAccount': { key: { username: 'alexa' } },
  'Users.UpdateUser': { key: { username: 'tom' }, email: 'tom@example.com', updateMask: 'email' },
  'Users.DeleteUser': { key: { username: 'tom' } },
  'Users.ListUsers': { pageSize: 10 },
};
