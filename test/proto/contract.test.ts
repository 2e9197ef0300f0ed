// Proves that the contract stays what clients were generated from: names, numbers and types on the wire, pinned
// here by hand; that the generated code is what `buf generate` and `proto/comments.ts` make of it; that `buf lint` and
// `buf breaking` pass, the latter against the first version (test/peers/article) and the released one
// (test/proto/released); and that `buf breaking` does find what breaks. A release copies proto/*.proto to
// test/proto/released, and nothing else does.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { create, type DescField, fromBinary, ScalarType, toBinary, toJson } from '@bufbuild/protobuf';
import { Users } from '../../proto/gen/users_pb.js';
import {
  AccountSchema,
  CreateUserRequestSchema,
  file_users_types,
  GetUsersResultSchema,
  UpdateUserRequestSchema,
} from '../../proto/gen/users_types_pb.js';

const root = join(import.meta.dirname, '../..');
const bin = join(root, 'node_modules/.bin');
/** buf finds protoc-gen-es, and that finds node, on the PATH. */
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };

function buf(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(join(bin, 'buf'), args, {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'users-contract-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function describeField(field: DescField): string {
  const message = field.fieldKind === 'message' || field.fieldKind === 'list' ? field.message : undefined;
  const type = message?.typeName ?? (field.scalar === undefined ? '?' : ScalarType[field.scalar]);
  const list = field.fieldKind === 'list' ? 'repeated ' : '';
  return `${list}${type} ${field.name} = ${field.number}${field.oneof ? ` in ${field.oneof.name}` : ''}`;
}

describe('The contract', () => {
  it('has its messages, fields, numbers and types', () => {
    const messages = file_users_types.messages.map((it) => [it.typeName, it.fields.map(describeField)]);
    assert.deepEqual(Object.fromEntries(messages), {
      'users.User': ['STRING username = 1', 'UINT32 user_id = 2'],
      'users.CreateUserRequest': [
        'STRING username = 1',
        'STRING password = 2',
        'STRING email = 3',
        'STRING request_id = 4',
      ],
      'users.CreateUserResult': ['users.User user = 1'],
      'users.GetUsersRequest': ['repeated users.User user = 1'],
      'users.GetUsersResult': ['users.User user = 1 in result', 'users.User missing = 2 in result'],
      'users.UserKey': ['STRING username = 1 in key', 'UINT32 user_id = 2 in key', 'STRING email = 3 in key'],
      'users.Account': [
        'users.User user = 1',
        'STRING email = 2',
        'BOOL has_password = 3',
        'google.protobuf.Timestamp created_at = 4',
        'STRING etag = 5',
      ],
      'users.CheckPasswordRequest': ['users.UserKey key = 1', 'STRING password = 2', 'STRING client = 3'],
      'users.CheckPasswordResult': ['users.User user = 1'],
      'users.GetAccountRequest': ['users.UserKey key = 1'],
      'users.GetAccountResult': ['users.Account account = 1'],
      'users.UpdateUserRequest': [
        'users.UserKey key = 1',
        'STRING username = 2',
        'STRING email = 3',
        'STRING password = 4',
        'google.protobuf.FieldMask update_mask = 5',
        'STRING etag = 6',
        'STRING request_id = 7',
      ],
      'users.UpdateUserResult': ['users.Account account = 1'],
      'users.DeleteUserRequest': ['users.UserKey key = 1', 'STRING etag = 2'],
      'users.DeleteUserResult': ['users.User user = 1'],
      'users.ListUsersRequest': [
        'UINT32 page_size = 1',
        'STRING page_token = 2',
        'STRING username_prefix = 3',
      ],
      'users.ListUsersResult': ['repeated users.User user = 1', 'STRING next_page_token = 2'],
    });
  });

  it('has its service, without a package, and its methods', () => {
    const methods = Users.methods.map((it) => [
      it.name,
      it.methodKind,
      it.input.typeName,
      it.output.typeName,
    ]);
    assert.equal(Users.typeName, 'Users');
    assert.deepEqual(methods, [
      ['CreateUser', 'unary', 'users.CreateUserRequest', 'users.CreateUserResult'],
      ['GetUsers', 'server_streaming', 'users.GetUsersRequest', 'users.GetUsersResult'],
      ['CheckPassword', 'unary', 'users.CheckPasswordRequest', 'users.CheckPasswordResult'],
      ['GetAccount', 'unary', 'users.GetAccountRequest', 'users.GetAccountResult'],
      ['UpdateUser', 'unary', 'users.UpdateUserRequest', 'users.UpdateUserResult'],
      ['DeleteUser', 'unary', 'users.DeleteUserRequest', 'users.DeleteUserResult'],
      ['ListUsers', 'unary', 'users.ListUsersRequest', 'users.ListUsersResult'],
    ]);
    assert.deepEqual([Users.file.name, file_users_types.name], ['users', 'users_types']);
  });

  it('has its bytes', () => {
    const request = create(CreateUserRequestSchema, {
      username: 'a',
      password: 'b',
      email: 'c',
      requestId: 'd',
    });
    assert.equal(
      Buffer.from(toBinary(CreateUserRequestSchema, request)).toString('hex'),
      '0a01611201621a0163220164',
    );
    const found = fromBinary(GetUsersResultSchema, Buffer.from('0a050a01611007', 'hex'));
    assert.deepEqual(toJson(GetUsersResultSchema, found), { user: { username: 'a', userId: 7 } });
    const missing = fromBinary(GetUsersResultSchema, Buffer.from('12021007', 'hex'));
    assert.deepEqual(toJson(GetUsersResultSchema, missing), { missing: { userId: 7 } });
    const change = create(UpdateUserRequestSchema, {
      key: { key: { case: 'userId', value: 7 } },
      email: 'c',
      updateMask: { paths: ['email'] },
      etag: 'e',
      requestId: 'd',
    });
    assert.equal(
      Buffer.from(toBinary(UpdateUserRequestSchema, change)).toString('hex'),
      '0a0210071a01632a070a05656d61696c3201653a0164',
    );
    const account = fromBinary(AccountSchema, Buffer.from('0a050a016110071201631801220208052a0165', 'hex'));
    assert.deepEqual(toJson(AccountSchema, account), {
      user: { username: 'a', userId: 7 },
      email: 'c',
      hasPassword: true,
      createdAt: '1970-01-01T00:00:05Z',
      etag: 'e',
    });
  });
});

describe('the generated code', () => {
  for (const [name, generated] of [
    ['buf.gen.yaml', 'proto/gen'],
    ['functions/rpc/standard/buf.gen.yaml', 'functions/rpc/standard/gen'],
  ] as const) {
    it(`in ${generated} is what buf generates`, (t) => {
      const folder = temporaryFolder(t);
      // Not cleaned: that is for the folder in the repository.
      const template = readFileSync(join(root, name), 'utf8').replace('clean: true', 'clean: false');
      const { status, output } = buf('generate', '--template', template, '--output', folder);
      assert.equal(status, 0, output);
      if (generated === 'proto/gen')
        execFileSync(process.execPath, [join(root, 'proto/comments.ts'), join(folder, generated)]);
      assert.deepEqual(filesOf(join(root, generated)), filesOf(join(folder, generated)));
    });
  }
});

describe('buf', () => {
  it('has nothing to say of the style', () => {
    assert.deepEqual(buf('lint'), { status: 0, output: '' });
  });

  it('finds nothing that breaks clients of the released contract', () => {
    assert.deepEqual(buf('breaking', '--against', 'test/proto/released'), { status: 0, output: '' });
  });

  it('finds nothing that breaks clients of the first version', () => {
    const config = {
      version: 'v2',
      modules: [{ path: 'proto' }],
      breaking: {
        use: ['FILE'],
        // `user` of GetUsersResult went into a oneof. That changes generated code, but no byte that is sent while
        // the oneof has a user, and clients that do not know `missing` see a result without a user.
        except: ['FIELD_SAME_ONEOF'],
      },
    };
    const against = ['--against', 'test/peers/article'];
    assert.deepEqual(buf('breaking', '--config', JSON.stringify(config), ...against), {
      status: 0,
      output: '',
    });
    const { output } = buf('breaking', ...against);
    assert.match(
      output,
      /^[^\n]*"user" on message "GetUsersResult" moved from outside to inside a oneof\.\n$/,
    );
  });

  const breaks: [string, string, string][] = [
    ['uint32 user_id = 2', 'uint64 user_id = 2', 'changed type'],
    ['string email = 3', 'string email = 5', 'deleted'],
    ['string request_id = 4', 'string request_key = 4', 'changed name'],
    ['User missing = 2;', '', 'deleted'],
    ['returns (stream users', 'returns (users', 'changed from server streaming'],
    ['rpc CreateUser(', 'rpc AddUser(', 'deleted'],
  ];
  for (const [before, after, finding] of breaks) {
    it(`finds that "${before}" turned into "${after}"`, (t) => {
      const folder = temporaryFolder(t);
      cpSync(join(root, 'test/proto/released'), folder, { recursive: true });
      let changes = 0;
      for (const path of ['users.proto', 'users_types.proto'].map((name) => join(folder, name))) {
        const text = readFileSync(path, 'utf8');
        if (text.includes(before)) changes += 1;
        writeFileSync(path, text.replace(before, after));
      }
      assert.equal(changes, 1);
      const config = JSON.stringify({ version: 'v2', modules: [{ path: '.' }], breaking: { use: ['FILE'] } });
      writeFileSync(join(folder, 'buf.yaml'), config);
      const { status, output } = buf('breaking', folder, '--against', 'test/proto/released');
      assert.equal(status, 100, output);
      assert.match(output, new RegExp(finding));
    });
  }
});

function filesOf(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
  const files = paths.map((it) => join(it.parentPath, it.name)).sort();
  return Object.fromEntries(files.map((it) => [it.slice(folder.length), readFileSync(it, 'utf8')]));
}
