import type { JsonObject } from '@bufbuild/protobuf';

/** Requests to begin with, by method, in JSON: of the sample users, and of one who is not there. */
export const examples: Readonly<Record<string, JsonObject>> = {
  'Users.CreateUser': { username: 'tom' },
  'Users.GetUsers': { user: [{ username: 'alexa' }, { username: 'christie' }, { username: 'nobody' }] },
};
