// Proves that descriptors which a bundle has ready made are those that are decoded elsewhere, to the last option, and
// that messages can be made and read with them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { build } from 'esbuild';
import { file_google_rpc_error_details } from '../../functions/rpc/standard/gen/google/rpc/error_details_pb.js';
import { file_users } from '../../proto/gen/users_pb.js';
import { file_users_types } from '../../proto/gen/users_types_pb.js';
import { readyFiles } from '../../proto/ready-files.ts';
import { root } from '../support/process.ts';

const folder = mkdtempSync(join(tmpdir(), 'ready-files-'));
after(() => rmSync(folder, { recursive: true }));

const entry = `
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { file_google_rpc_error_details } from './functions/rpc/standard/gen/google/rpc/error_details_pb.js';
import { file_users } from './proto/gen/users_pb.js';
import { AccountSchema, file_users_types } from './proto/gen/users_types_pb.js';
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const files = [file_users, file_users_types, file_google_rpc_error_details];
export const protos = files.map(({ proto }) => hex(toBinary(FileDescriptorProtoSchema, proto)));
const account = create(AccountSchema, { user: { username: 'tom', userId: 7 }, createdAt: { seconds: 5n }, etag: 'a' });
export const again = fromBinary(AccountSchema, toBinary(AccountSchema, account));
`;

it('a bundle has the descriptors that protobuf-es decodes', async () => {
  const outfile = join(folder, 'main.mjs');
  await build({
    stdin: { contents: entry, resolveDir: root },
    plugins: [readyFiles],
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'error',
  });
  const { protos, again } = await import(outfile);
  const files = [file_users, file_users_types, file_google_rpc_error_details];
  assert.deepEqual(
    protos,
    files.map(({ proto }) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto)).toString('hex')),
  );
  assert.deepEqual(
    { ...again.user, seconds: again.createdAt.seconds, etag: again.etag },
    { $typeName: 'users.User', username: 'tom', userId: 7, seconds: 5n, etag: 'a' },
  );
});
