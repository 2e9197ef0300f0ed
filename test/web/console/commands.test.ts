// Proves how the console writes calls to be copied: texts that mean something to a shell are quoted, CSV is quoted
// where buf reads it, what may be secret is read from a file, and `npx users` is offered where it can say the same.
// That the commands do the call is proven in test/browser/commands.test.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { ServerReflection } from '../../../functions/rpc/standard/gen/grpc/reflection/v1/reflection_pb.js';
import { writeCommands } from '../../../functions/web/console/page/try/commands.ts';
import { parseLink } from '../../../functions/web/console/page/try/link.ts';
import { quote } from '../../../functions/web/console/page/try/shell.ts';
import type { WrittenCall } from '../../../functions/web/console/page/try/written-call.ts';
import { Users } from '../../../proto/gen/users_pb.js';
import { Echo } from '../../rpc/gen/echo_pb.js';

function written(call: Partial<WrittenCall>): Record<string, string> {
  const whole: WrittenCall = {
    method: Users.method.getUsers,
    request: {},
    endpoint: 'http://127.0.0.1:50051',
    metadata: [],
    deadlineMs: undefined,
    hasToken: false,
    ...call,
  };
  return Object.fromEntries(writeCommands(whole).map(({ tool, text }) => [tool, text]));
}

const users = (method: keyof typeof Users.method, request: JsonValue) =>
  written({ method: Users.method[method], request })['npx users'];

describe('commands', () => {
  it('quotes any text for a shell', { skip: process.platform === 'win32' }, () => {
    const texts = [
      'plain-1.2/x',
      '',
      ' ',
      "it's",
      '"$HOME" `id`',
      '\\',
      '!x',
      'a\nb',
      '☃',
      '-n',
      '*',
      '~',
      "''",
    ];
    const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${texts.map(quote).join(' ')}`], {
      encoding: 'utf8',
    });
    assert.deepEqual(printed.split('\0').slice(0, -1), texts);
    assert.equal(quote('plain-1.2/x'), 'plain-1.2/x');
  });

  it('leaves out metadata whose name is none, such as a crafted link could have', () => {
    const names = [
      '$(id)-token',
      '`id`-key',
      "a'+id+'-token",
      'x;id;-secret',
      'a b',
      '"$(id)"',
      '../../x-key',
      '',
    ];
    const plain = written({});
    assert.deepEqual(written({ metadata: names.map((name) => [name, 'v']) }), plain);
    const hash = `#/try/Users/CreateUser?${new URLSearchParams(names.map((name): [string, string] => ['metadata', `${name}: v`]))}`;
    assert.deepEqual(parseLink(hash).filled.metadata, []);
  });

  it('reads from a file what may be secret', () => {
    const metadata = [
      ['x-api-key', 'secret 1'],
      ['Authorization', 'secret 2'],
      ['cookie', 'secret 3'],
    ] as const;
    for (const [tool, text] of Object.entries(
      written({ metadata, hasToken: true, request: { user: [{ userId: 7 }] } }),
    )) {
      assert.doesNotMatch(text, /secret \d/, tool);
      assert.match(text, /key\.txt/, tool);
      assert.match(text, /x-api-key\.txt/, tool);
    }
    const { 'buf curl': buf = '' } = written({ hasToken: true });
    assert.match(buf, /-H "authorization: Bearer \$\(cat key\.txt\)" \\\n {2}--reflect-header '\*'/);
  });

  it('reads from a file what a field holds that may be secret', () => {
    const request = {
      username: "it's",
      password: 'typed 1',
      more: [{ apiKeys: ['typed 2'], page_token: 'next' }],
    };
    for (const [tool, text] of Object.entries(written({ method: Users.method.createUser, request }))) {
      assert.doesNotMatch(text, /typed \d|\u{F0000}/u, tool);
      assert.match(text, /password\.txt/, tool);
    }
    const { 'buf curl': buf = '', Python: python = '' } = written({
      request: { ...request, username: 'ann' },
    });
    assert.match(
      buf,
      /"password":"'"\$\(cat password\.txt\)"'","more":\[{"apiKeys":\["'"\$\(cat apiKeys\.txt/,
    );
    assert.match(buf, /"page_token":"next"/);
    assert.match(
      python,
      /\\"password\\":" \+ json\.dumps\(open\('password\.txt'\)\.read\(\)\.strip\(\)\) \+ ",/,
    );
  });

  it('reads no file that a crafted request names by a mark of its own', () => {
    const request = { username: '\u{F0000}key\u{F0000}', '\u{F0000}key\u{F0000}': 1 };
    for (const [tool, text] of Object.entries(written({ method: Users.method.createUser, request })))
      assert.doesNotMatch(text, /key\.txt/, tool);
  });

  it('trusts the certificate that a server on this machine has signed itself', () => {
    for (const endpoint of ['https://localhost:50051', 'https://127.0.0.1:1', 'https://[::1]:1']) {
      const call = { method: Users.method.createUser, request: { username: 'ann' }, endpoint };
      const texts = written(call);
      assert.match(texts['buf curl'] ?? '', /--cacert cert\.pem/);
      assert.match(texts.grpcurl ?? '', /-cacert cert\.pem/);
      assert.match(texts['npx users'] ?? '', /--ca cert\.pem/);
      assert.match(texts.TypeScript ?? '', /^import { readFileSync }[\s\S]*ca: readFileSync\('cert\.pem'\)/);
      assert.match(texts.Python ?? '', /ssl_channel_credentials\(open\('cert\.pem', 'rb'\)\.read\(\)\)/);
    }
    const others = ['https://example.com', 'http://localhost:50051', 'https://127.example.com'];
    for (const endpoint of others)
      assert.doesNotMatch(Object.values(written({ endpoint })).join(), /cert\.pem/);
  });

  it('reads from a file a request that no command line takes', () => {
    const request = { username: 'x'.repeat(100_001) };
    const texts = written({ method: Users.method.createUser, request });
    assert.match(texts['buf curl'] ?? '', /-d @request\.json/);
    assert.match(texts.grpcurl ?? '', /-d @ \\\n.* < request\.json$/);
    assert.equal(texts['npx users'], undefined);
    assert.match(texts.Python ?? '', /x{100}/);
  });

  it('offers no program for services of gRPC itself, whose code nobody has', () => {
    const { methods } = ServerReflection;
    assert.deepEqual(
      methods.flatMap((method) => Object.keys(written({ method }))),
      ['buf curl', 'grpcurl'],
    );
  });

  it('quotes CSV for buf, which reads headers so, and for it alone', () => {
    const metadata = [['list', 'a, "b"']] as const;
    const { 'buf curl': buf = '', grpcurl = '' } = written({ metadata });
    assert.match(buf, /-H '"list: a, ""b"""'/);
    assert.match(grpcurl, /-H 'list: a, "b"'/);
  });

  it('names host, port and deadline as each tool takes them', () => {
    const call = { endpoint: 'https://example.com', deadlineMs: 1500 };
    const {
      'buf curl': buf = '',
      grpcurl = '',
      Python: python = '',
      TypeScript: typescript = '',
    } = written(call);
    assert.doesNotMatch(buf, /http2-prior-knowledge/);
    assert.match(grpcurl, /^grpcurl -max-time 1\.5 /);
    assert.match(grpcurl, /example\.com:443 Users\/GetUsers$/);
    assert.match(python, /secure_channel\("example\.com:443"/);
    assert.match(python, /stub\.GetUsers\(request, timeout=1\.5\)/);
    assert.match(typescript, /timeoutMs: 1500/);
    assert.match(written({ endpoint: 'http://[::1]' }).grpcurl ?? '', /-plaintext.*'\[::1\]:80'/s);
  });

  it('offers users where it can say the same', () => {
    assert.match(
      users('getUsers', { user: [{ username: 'ann' }, { userId: 7 }, { username: '7' }] }) ?? '',
      / ann 7 name:7$/,
    );
    assert.match(users('getUsers', { user: [{ username: '-x' }] }) ?? '', / -- -x$/);
    assert.equal(users('getUsers', { user: [{}] }), undefined);
    assert.equal(users('getUsers', {}), undefined);
    assert.equal(users('createUser', { username: '' }), undefined);
    assert.match(
      users('createUser', { username: 'ann', email: 'a@b', password: 'pw' }) ?? '',
      /--email a@b \\\n {2}--password-stdin ann < password\.txt$/,
    );
    assert.equal(written({ method: Echo.method.unary })['npx users'], undefined);
  });

  it('offers users for the account of a user, and to change, remove and list', () => {
    const tail = (method: keyof typeof Users.method, request: JsonValue) =>
      users(method, request)?.replaceAll(' \\\n ', '').replace(' --endpoint http://127.0.0.1:50051', '');
    const key = { username: 'ann' };
    for (const [method, request, text] of [
      ['getAccount', { key }, 'account ann'],
      ['getAccount', { key: { userId: 7 } }, 'account 7'],
      ['getAccount', { key: { user_id: '7' } }, 'account 7'],
      ['getAccount', { key: { username: '7' } }, 'account name:7'],
      ['getAccount', { key: { email: 'a@b' } }, 'account a@b'],
      ['checkPassword', { key, password: 'pw' }, 'check --password-stdin ann < password.txt'],
      ['deleteUser', { key, etag: 'e 1' }, "delete --etag 'e 1' ann"],
      ['updateUser', { key, username: 'bob' }, 'update --name bob ann'],
      [
        'updateUser',
        { key, email: 'a@b', update_mask: 'email', etag: 'e' },
        'update --email a@b --etag e ann',
      ],
      ['updateUser', { key, email: 'a@b', updateMask: 'password' }, 'update --no-password ann'],
      [
        'updateUser',
        { key, password: 'pw', updateMask: 'email,password' },
        'update --no-email --password-stdin ann < password.txt',
      ],
      ['listUsers', {}, 'list --limit 100'],
      ['listUsers', { usernamePrefix: 'a', page_size: 5 }, 'list --prefix a --limit 5'],
      // No command says these.
      ['getAccount', { key: { username: 'a@b' } }, undefined],
      ['getAccount', { key: { email: 'ann' } }, undefined],
      ['getAccount', { key: {} }, undefined],
      ['checkPassword', { key }, undefined],
      ['updateUser', { key }, undefined],
      ['updateUser', { key, updateMask: 'username' }, undefined],
      ['updateUser', { key, updateMask: 'userId' }, undefined],
      ['listUsers', { pageToken: 't' }, undefined],
    ] as const) {
      assert.equal(tail(method, request), text && `npx users ${text}`, JSON.stringify(request));
    }
  });

  it('writes a mask for grpcurl as it reads one', () => {
    const method = Users.method.updateUser;
    const request = { key: { username: 'ann' }, updateMask: 'email,hasPassword' };
    const { grpcurl = '', 'buf curl': buf = '' } = written({ method, request });
    assert.ok(grpcurl.includes('"updateMask":{"paths":["email","has_password"]}'), grpcurl);
    assert.ok(buf.includes('"updateMask":"email,hasPassword"'), buf);
  });

  it('writes programs for methods of each kind', () => {
    const { TypeScript: typescript = '', Python: python = '' } = written({
      method: Echo.method.clientStream,
    });
    assert.match(typescript, /console\.log\(await client\.clientStream\(requests\(\)\)\);/);
    assert.match(python, /print\(stub\.ClientStream\(iter\(\[request\]\)\)\)/);
    assert.match(
      written({ method: Echo.method.bidi }).TypeScript ?? '',
      /for await \(const message of client\.bidi\(requests\(\)\)\)/,
    );
    assert.match(python, /import echo_pb2_grpc as services/);
  });
});
