// Proves that the `users` command finds what it needs: certificates, the right Node by `npx users`; and that a command
// line that can't be meant is told in a few lines, before anything is sent.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import packageJson from '../../package.json' with { type: 'json' };
import { createAuthority } from '../support/certificates.ts';
import { root, UsersCommand } from './command.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let users: UsersCommand;

before(async () => {
  server = await startServer();
  users = new UsersCommand(server.endpoint);
});

after(async () => {
  users[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

test('--ca, --server-name, --cert and --key; and advice where they are missing', async () => {
  const authority = await createAuthority();
  const balancer = 'balancer.test';
  const tls = { ...(await authority.issue({ dns: [balancer] })), ca: authority.ca, requestCert: true };
  await using secure = await startServer({}, { tls });
  const own = await authority.issue({ dns: ['me.test'] });
  const ca = users.file('ca.pem', authority.ca);
  const args = ['create', 'tom', '--endpoint', secure.endpoint];
  const trusted = [
    ...args,
    '--ca',
    ca,
    '--server-name',
    balancer,
    '--cert',
    users.file('c', own.cert),
    '--key',
    users.file('k', own.key),
  ];
  assert.equal((await users.run(trusted)).out, 'User created: tom (id 1)\n');
  for (const [own, message] of [
    [[], /^UNAVAILABLE: TLS failed: .*\n {2}Name the authority to trust with --ca.*\n$/],
    [
      ['--ca', ca, '--server-name', balancer],
      /^UNAVAILABLE: TLS failed: the server asks for a client certificate\n {2}Show .* --cert and --key\.\n$/,
    ],
    [
      ['--endpoint', server.endpoint.replace('http:', 'https:')],
      /^UNAVAILABLE: TLS failed: .* try http:\/\/\n$/,
    ],
    [['--endpoint', secure.endpoint.replace('https:', 'http:')], /^UNAVAILABLE: .* try https:\/\/\n {2}Is /],
  ] as [string[], RegExp][]) {
    const { err, code } = await users.run([...args, ...own]);
    assert.match(err, message);
    assert.equal(code, 14);
  }
});

const tls = ['create', 'tom', '--endpoint', 'https://localhost'];

for (const [args, message] of [
  [[], /Usage: users/],
  [['sing'], /unknown command 'sing'/],
  [['create', 'tom', 'extra'], /too many arguments/],
  ...[
    ['create', 'tom', '--password'],
    ['create', 'tom', '--password=hush'],
    ['update', 'tom', '--password', 'hush'],
  ].map((args) => [args, /^error: unknown option '--password': .* with --password-stdin\n/]),
  [['create', 'tom', '--timeout', '5'], /Write a number and its unit/],
  [['create', 'tom', '--timeout', '-1s'], /Write a number and its unit/],
  [['create', 'tom', '--metadata', 'novalue'], /Write it as key=value/],
  [['create', 'tom', '--metadata', 'name=Zoë'], /^error: metadata value of "name" must be printable ASCII/],
  [['create', 'tom', '--metadata-file', '/no/file'], /^error: --metadata-file \/no\/file does not exist\n/],
  [['create', 'tom', '--token-file', '/no/file'], /^error: --token-file \/no\/file does not exist\n/],
  [['create', 'tom', '--token-file', root], /^error: --token-file .* is a folder\n/],
  [['create', 'tom', '--token-file', '/dev/null'], /^error: --token-file \/dev\/null is empty\n/],
  [['get', 'alexa', ''], /one of them is empty/],
  [['get', 'name:'], /one of them is empty/],
  [['create', 'tom', '--http1'], /^error: gRPC needs HTTP\/2: choose the protocol grpc-web or connect/],
  [['create', 'tom', '--protocol', 'soap'], /Allowed choices are grpc, grpc-web, connect/],
  [['create', 'tom', '--endpoint', 'localhost:50051'], /write it as http:\/\/host:port/],
  [
    ['create', 'tom', '--endpoint', 'http://localhost:65536'],
    /"http:\/\/localhost:65536": write a port up to 65535/,
  ],
  [
    ['create', 'tom', '--endpoint', 'http://localhost/users'],
    /"http:\/\/localhost\/users": it takes scheme, host/,
  ],
  [['create', 'tom', '--ca', '/dev/null'], /^error: --ca is for https:\/\/ endpoints only\n/],
  [[...tls, '--ca', '/no/file'], /^error: --ca \/no\/file does not exist\n/],
  [[...tls, '--ca', '/dev/null'], /^error: --ca has no certificate in PEM\n/],
  [[...tls, '--cert', '/dev/null'], /^error: --key is missing/],
  [[...tls, '--key', '/dev/null'], /^error: --cert is missing/],
  [[...tls, '--key', '/dev/null', '--cert', '/dev/null'], /^error: --cert has no certificate in PEM\n/],
] as [string[], RegExp][]) {
  test(`wrong usage is exit code 64, in a few lines: users ${args.join(' ')}`, async () => {
    const before = server.sockets.length;
    const { out, err, code } = await users.run(args);
    assert.equal(code, 64);
    assert.equal(out, '');
    assert.match(err, message);
    assert.ok(!/ {4}at |ENOENT|invalid_argument/.test(err), err);
    assert.equal(server.sockets.length, before, 'nothing was sent');
  });
}

test('a bad line of --metadata-file is named by its number, and not shown', async () => {
  const file = users.file('metadata', '# of the team\n\nteam=core\n  hush\n');
  const { err, code } = await users.run(['create', 'tom', '--metadata-file', file]);
  assert.equal(err, `error: --metadata-file ${file}, line 4: write it as key=value\nTry --help.\n`);
  assert.equal(code, 64);
});

for (const [input, problem] of [
  ['', 'is empty'],
  ['\n', 'is empty'],
  ['one\ntwo\n', 'has more than one line'],
  [Buffer.from([0x61, 0xff]), 'is not UTF-8'],
  ['x'.repeat(70_000), 'is longer than 65536 bytes'],
] as const) {
  test(`--password-stdin: an input that ${problem} is exit code 64: ${input.length} bytes`, async () => {
    const before = server.sockets.length;
    const { err, code } = await users.run(['create', 'tom', '--password-stdin'], { input });
    assert.ok(err.startsWith(`error: --password-stdin: the standard input ${problem}`), err);
    assert.equal(code, 64);
    assert.equal(server.sockets.length, before, 'nothing was sent');
  });
}

test('--help says what the exit codes mean; exit code 0', async () => {
  const { out, code } = await users.run(['--help']);
  assert.equal(code, 0);
  assert.match(out, /4 DEADLINE_EXCEEDED/);
  assert.match((await users.run(['create', '--help'])).out, /\(default: a new one\)/);
  assert.deepEqual(await users.run(['--version']), { out: `${packageJson.version}\n`, err: '', code: 0 });
});

test('the help of a command has its own options, and says where those of all are', async () => {
  for (const name of ['get', 'update', 'health']) {
    const { out } = await users.run([name, '--help']);
    assert.match(out, /\nOptions of all commands, such as --endpoint .*: users --help\n$/);
    assert.ok(!out.includes('--timeout'), out);
  }
  const { out } = await users.run(['key', 'new', '--help']);
  assert.ok(!out.includes('--endpoint'), out);
  assert.match((await users.run(['help', 'backup'])).out, /^Usage: users backup \[options\] <file>\n/);
});

test('--help tells commands that ask a server from those that open its files', async () => {
  const { out } = await users.run(['--help']);
  const [, server = '', machine = '', other = ''] = out.split(/^(?:Commands .+|Other commands):$/m);
  const named = (text: string) => [...text.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
  assert.deepEqual(named(server), [
    'create',
    'get',
    'list',
    'account',
    'check',
    'update',
    'delete',
    'health',
  ]);
  assert.deepEqual(named(machine), ['backup', 'restore', 'export', 'import', 'upgrade']);
  assert.deepEqual(named(other), ['key', 'help']);
});

test('a command that opens files takes no option that is for a server', async () => {
  const options = [
    ['--json'],
    ['--endpoint', 'http://a:1'],
    ['--timeout', '5s'],
    ['--token-file', '/no/file'],
  ];
  for (const option of options) {
    const refused = {
      out: '',
      err: `error: backup takes no ${option[0]}: it asks no server\nTry --help.\n`,
      code: 64,
    };
    assert.deepEqual(await users.run(['backup', users.folder, ...option]), refused);
    assert.deepEqual(await users.run([...option, 'backup', users.folder]), refused);
  }
});

test('npx users runs with the Node of the project, whatever is on the PATH, without a network', async () => {
  const path = (process.env.PATH ?? '').split(delimiter).filter((part) => !part.includes('node_modules'));
  const child = spawn('npx', ['users', 'create', 'tom'], {
    cwd: root,
    env: {
      PATH: path.join(delimiter),
      HOME: users.folder,
      USERS_ENDPOINT: server.endpoint,
      npm_config_cache: join(users.folder, 'npm'),
      npm_config_registry: 'http://127.0.0.1:9',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  assert.equal(out, 'User created: tom (id 1)\n', err);
  assert.equal(code, 0);
});
