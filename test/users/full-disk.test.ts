// Proves, with the process on a disk that is full, that readiness tells what the service can do: sign-ups, changes
// and removals fail, so Users is NOT_SERVING and /readyz says why, while the process itself stays in service, and reads
// and logins go on; that nothing of what failed is kept, and callers are told when to retry where that is safe; and
// with room again all are well without a restart; and that a start on such a disk says what is wrong.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { createUsersClient } from '../../client/client.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/health/v1/health_pb.js';
import { Users } from '../../proto/gen/users_pb.js';
import { endsWith } from '../support/outcome.ts';
import { withPatience } from '../support/patience.ts';
import { ServerProcess } from '../support/process.ts';
import { type Disk, limitedFiles, smallDisk } from './full-disk.ts';
import { named } from './keys.ts';
import { failureOf, told } from './told.ts';

it('a start on a full disk is a line that says so; with room again it finds its users', async (t) => {
  const disk = smallDisk();
  if (disk === undefined) return t.skip('it needs the right to mount a file system');
  t.after(() => disk.remove());
  const settings = { USERS_STORE: 'sqlite', USERS_DATA: disk.folder };
  await using old = new ServerProcess({ settings });
  const { port } = await old.line('listening');
  using users = createUsersClient({ endpoint: `http://127.0.0.1:${port}` });
  await users.createUser({ username: 'tom' });
  await old.stop();

  disk.fill(0);
  for (const USERS_DATA of [disk.folder, join(disk.folder, 'new')]) {
    await using refused = new ServerProcess({ settings: { ...settings, USERS_DATA } });
    assert.equal((await refused.ended).code, 1);
    const line =
      /^cannot open the users file .+: its disk is full: make room, and start the server again \(.+\)\n$/;
    assert.match(refused.errors(), line);
  }
  disk.makeRoom(0);
  await using next = new ServerProcess({ settings });
  const { port: nextPort } = await next.line('listening');
  using again = createUsersClient({ endpoint: `http://127.0.0.1:${nextPort}` });
  for await (const { result } of again.getUsers({ user: [{ username: 'tom' }] }))
    assert.equal(result.case, 'user');
  await next.stop();
});

describe('where nothing can be written', () => {
  it('on a full disk', async (t) => {
    const disk = smallDisk();
    if (disk === undefined) return t.skip('it needs the right to mount a file system');
    // SQLite says that it has written nothing.
    await tellsReadiness(disk, 100);
  });

  // After other errors than FULL, nobody knows what was written.
  it('with files that may not grow', () => tellsReadiness(limitedFiles(), undefined));
});

async function tellsReadiness(disk: Disk, retryAfterMs: number | undefined): Promise<void> {
  try {
    await fillAndMakeRoom(disk, retryAfterMs);
  } finally {
    disk.remove();
  }
}

/** @param retryAfterMs what a change or a removal is told that must not be made twice */
async function fillAndMakeRoom(disk: Disk, retryAfterMs: number | undefined): Promise<void> {
  const settings = {
    ...{ UNREADY_AFTER_MS: '1', STORE_PROBE_INTERVAL_MS: '20', ADMIN_PORT: '0' },
    // An emptied log has room for what is written next.
    SQLITE_IDLE_CHECKPOINT_MS: '600000',
    // So a removal by name must not be made twice.
    DELETED_NAME_HOLD_MS: '0',
  };
  await using main = new ServerProcess({ settings: { ...settings, USERS_DATA: disk.folder } });
  const { port, adminPort } = await main.line('listening');
  const pid = main.child.pid ?? assert.fail('it has no id');
  const url = `http://127.0.0.1:${port}`;
  const get = async (base: string, path: string) => {
    const answer = await fetch(`${base}${path}`, { headers: { connection: 'close' } });
    return `${answer.status} ${await answer.text()}`;
  };
  const admin = (path: string) => get(`http://127.0.0.1:${adminPort}`, path);
  const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
  const gone = new AbortController();
  const watch = health.watch({ service: 'Users' }, { signal: gone.signal })[Symbol.asyncIterator]();
  const next = async () => Status[(await withPatience(watch.next()))?.value?.status ?? Status.UNKNOWN];
  using users = createUsersClient({ endpoint: url, retry: { maxAttempts: 1 } });
  const plain = createClient(Users, createGrpcTransport({ baseUrl: url }));
  const signUp = () => users.createUser({ username: `u${crypto.randomUUID()}` });

  assert.equal(await next(), 'SERVING');
  const { user } = await signUp();
  const key = named('ann');
  const ann = { username: 'ann', email: 'ann@example.com', password: 'open sesame' };
  await users.createUser(ann);
  const before = await users.getAccount({ key });
  assert.deepEqual([await get(url, '/readyz'), await admin('/readyz')], ['200 READY\n', '200 READY\n']);

  disk.fill(pid);
  // The log of SQLite may have room for a few.
  const failures = async (left: number): Promise<void> => {
    const isStored = await signUp().then(
      () => true,
      () => false,
    );
    return left > 1 || isStored ? failures(isStored ? left : left - 1) : undefined;
  };
  await failures(4);
  assert.equal(await next(), 'NOT_SERVING');
  await endsWith(Code.Unavailable, signUp());
  const change = { key, username: 'ann-2', email: 'ann-2@example.com' };
  const unavailable = async (call: Promise<unknown>, after: number | undefined) => {
    const { reason, retryAfterMs } = told(await failureOf(call));
    assert.deepEqual([reason, retryAfterMs], ['STORE_UNAVAILABLE', after]);
  };
  await unavailable(plain.updateUser(change), retryAfterMs);
  const request = { ...change, requestId: crypto.randomUUID() };
  await unavailable(plain.updateUser(request), 100);
  await unavailable(plain.deleteUser({ key }), retryAfterMs);
  assert.deepEqual(await users.getAccount({ key }), before);
  assert.equal((await users.checkPassword({ key, password: ann.password })).user?.username, 'ann');
  assert.equal(await get(url, '/readyz'), '503 NOT_READY\n');
  assert.match(
    await admin('/readyz'),
    /^503 NOT_READY: Users does not serve: SQLite could not store the user: .+\n$/,
  );
  assert.equal(await get(url, '/healthz'), '200 SERVING\n', 'another task could do no more');
  assert.equal((await health.check({})).status, Status.SERVING);
  const metric = async (pattern: RegExp) => pattern.exec(await admin('/metrics'))?.[1];
  assert.equal(await metric(/^server_ready\{service="Users"\} (\d)$/m), '0');
  const names = [{ username: user?.username ?? '' }];
  for await (const { result } of users.getUsers({ user: names })) assert.equal(result.case, 'user');
  await main.line('not ready: the store fails');

  disk.makeRoom(pid);
  assert.equal(await next(), 'SERVING');
  await main.line('ready: the store works again');
  await signUp();
  assert.equal((await plain.updateUser(request)).account?.email, change.email);
  assert.equal((await plain.deleteUser({ key: named('ann-2') })).user?.username, 'ann-2');
  assert.deepEqual([await get(url, '/readyz'), await admin('/readyz')], ['200 READY\n', '200 READY\n']);
  assert.equal(await metric(/^server_ready\{service="Users"\} (\d)$/m), '1');
  // By the code of SQLite: 13 is FULL, 10 is IOERR.
  assert.ok(await metric(/^db_client_operation_duration_seconds_count\{.*error_type="(13|10)".*\} [4-9]$/m));
  gone.abort();
  await watch.next().catch(() => {});
  await main.stop();
}
