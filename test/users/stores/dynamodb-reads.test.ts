// Reads that wait together go together: what comes in a turn of the event loop, and what comes while batches are under
// way. Nobody waits alone, or for long; large reads leave room; who goes, fails or is left out does so alone; and what
// was written before a read began is found, whatever is answered when.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { it, mock } from 'node:test';
import { StoreError } from '../../../functions/users/store.ts';
import type { Item } from '../../../functions/users/stores/dynamodb-items.ts';
import { type BatchTable, few, numbered, sharedReads, turn } from './batch-table.ts';
import { unbounded } from './contract-setting.ts';

// Time stands still unless a test lets it pass.
mock.timers.enable({ apis: ['setTimeout'] });

const keysOf = (found: ReadonlyMap<string, Item>) => [...found.keys()].sort();
const sent = ({ open }: BatchTable) => open.map(({ keys }) => [...keys].sort());

/** Until an answer has arrived, and what it made room for has been sent. */
async function turns(): Promise<void> {
  await turn();
  await turn();
}

/** Begins reads that keep all batches of `few` under way. */
async function busy({ reads, table }: ReturnType<typeof sharedReads>): Promise<void> {
  for (let at = 0; at < few.dynamoMaxConcurrentReads; at += 1) {
    reads.read([`busy${at}`], unbounded);
    await turn();
    assert.equal(table.open.length, at + 1);
  }
}

it('one read at a time is sent at the end of its turn, whatever the time', async () => {
  const { table, reads } = sharedReads();
  for (let at = 0; at < 5; at += 1) {
    const found = reads.read([`k${at}`], unbounded);
    await turn();
    assert.deepEqual(sent(table), [[`k${at}`]]);
    table.take().answer();
    assert.deepEqual(keysOf(await found), [`k${at}`]);
  }
});

it('what comes in one turn is one request, which has each key once', async () => {
  const { table, reads, events } = sharedReads();
  const all = [['a', 'b'], ['b'], ['c', 'b', 'c'], [], ['\ud800'], ['k'.repeat(2049)]].map((keys) =>
    reads.read(keys, unbounded),
  );
  await turn();
  assert.deepEqual(sent(table), [['a', 'b', 'c']], 'and none that DynamoDB would refuse');
  assert.deepEqual(events.requests, ['3 keys for 3']);
  table.take().answer();
  assert.deepEqual((await Promise.all(all)).map(keysOf), [['a', 'b'], ['b'], ['b', 'c'], [], [], []]);
});

it('who asks for other attributes is not in the same request', async () => {
  const { table, reads } = sharedReads();
  reads.read(['a'], unbounded);
  reads.read(['a', 'b'], unbounded, 'pk, passwordHash');
  await turn();
  assert.deepEqual(sent(table), [['a'], ['a', 'b']]);
  assert.ok(!table.open[0]?.attributes.includes('passwordHash'));
  assert.equal(table.open[1]?.attributes, 'pk, passwordHash');
});

it('what comes while enough are under way shares the next one, and never joins one that was sent', async () => {
  const all = sharedReads();
  const { table, reads } = all;
  await busy(all);
  const first = reads.read(['busy0', 'a'], unbounded);
  await turn();
  table.write('busy0');
  const second = reads.read(['busy0', 'b'], unbounded);
  await turn();
  assert.equal(table.open.length, 2);
  table.take().answer();
  await turns();
  assert.deepEqual(sent(table), [['busy1'], ['a', 'b', 'busy0']]);
  table.take(1).answer();
  assert.deepEqual(keysOf(await first), ['a', 'busy0']);
  assert.equal((await second).get('busy0')?.version?.N, '1');
});

it('a full batch waits for none, as long as there are sockets', async () => {
  const all = sharedReads();
  const { table, reads } = all;
  await busy(all);
  const found = reads.read(numbered(250, 'k'), unbounded);
  await turn();
  assert.deepEqual(
    table.open.map(({ keys }) => keys.length),
    [1, 1, 100, 100],
    'there are four',
  );
  table.take(2).answer();
  await turns();
  assert.equal(table.open.length, 3, 'what is left has company to wait for');
  table.take(0).answer();
  table.take(0).answer();
  await turns();
  for (; table.open.length > 0; await turns()) table.take().answer();
  assert.equal((await found).size, 250);
});

it('while batches hang, what waits goes after some time all the same', async () => {
  const all = sharedReads();
  const { table, reads } = all;
  await busy(all);
  const found = reads.read(['a'], unbounded);
  await turn();
  mock.timers.tick(few.dynamoMaxReadWaitMs - 1);
  assert.equal(table.open.length, 2);
  reads.read(['b'], unbounded);
  mock.timers.tick(1);
  assert.deepEqual(sent(table).slice(2), [['a', 'b']], 'it is not the last one that counts');
  table.take(2).answer();
  assert.deepEqual(keysOf(await found), ['a']);
});

it('while there are too few sockets, a large read is in each batch, and fills none that others wait for', async () => {
  const { table, reads } = sharedReads({ ...few, dynamoMaxSockets: 1 });
  const large = reads.read(numbered(10_000, 'large'), unbounded);
  await turn();
  const rest: Promise<unknown>[] = [large];
  for (let round = 0; round < 5; round += 1) {
    const small = numbered(20, `small${round}-`).map((key) => reads.read([key], unbounded));
    rest.push(reads.read(numbered(60, `medium${round}-`), unbounded));
    table.take().answer();
    await turns();
    const keys = table.open[0]?.keys ?? [];
    const counted = (prefix: string) => keys.filter((key) => key.startsWith(prefix)).length;
    assert.equal(counted(`small${round}-`), 20, 'who asks for little is answered by the next one');
    assert.ok(counted('large') >= 4 && counted(`medium${round}-`) >= 4, 'and so have the others their turn');
    assert.equal(keys.length, 100);
    table.take().answer();
    await Promise.all(small);
    await turns();
  }
  for (; table.open.length > 0; await turns()) table.take().answer();
  await Promise.all(rest);
  assert.equal((await large).size, 10_000);
});

it('small reads that could fill all batches do not starve a large one', async () => {
  const { table, reads } = sharedReads({ ...few, dynamoMaxSockets: 1 });
  let isDone = false;
  const large = reads.read(numbered(100, 'large'), unbounded).finally(() => {
    isDone = true;
  });
  for (let batches = 0; !isDone; batches += 1) {
    assert.ok(batches < 1000);
    for (const key of numbered(100, `small${batches}-`)) reads.read([key], unbounded);
    await turns();
    table.take().answer();
    await turns();
  }
  assert.equal((await large).size, 100);
});

it('who goes leaves its batch and harms nobody; a batch that nobody wants any more is aborted', async () => {
  const all = sharedReads();
  const { table, reads } = all;
  const [ann, bob] = [new AbortController(), new AbortController()];
  const isReason = (reason: unknown) => (error: unknown) => error === reason;
  const ofAnn = assert.rejects(reads.read(['a', 'both'], ann.signal), isReason('ann'));
  const ofBob = assert.rejects(reads.read(['both'], bob.signal), isReason('bob'));
  const stays = reads.read(['both', 'c'], unbounded);
  ann.abort('ann');
  await turn();
  await ofAnn;
  assert.deepEqual(sent(table), [['both', 'c']], 'what she alone wanted is not even asked for');
  bob.abort('bob');
  await ofBob;
  assert.equal(table.open[0]?.signal.aborted, false);
  table.take().answer();
  assert.deepEqual(keysOf(await stays), ['both', 'c']);

  const [tom, eve] = [new AbortController(), new AbortController()];
  const gone = [reads.read(['a'], tom.signal), reads.read(['b'], eve.signal)];
  await turn();
  const signal = table.open[0]?.signal;
  tom.abort('tom');
  assert.equal(signal?.aborted, false, 'somebody is left');
  eve.abort('eve');
  assert.equal(signal?.aborted, true);
  for (const [at, reason] of ['tom', 'eve'].entries())
    await assert.rejects(gone[at] ?? stays, isReason(reason));
  for (const left of [ann, bob, tom, eve])
    assert.deepEqual(getEventListeners(left.signal, 'abort'), [], 'nothing is left with their signals');

  await busy(all);
  const late = new AbortController();
  const waiting = assert.rejects(reads.read(numbered(99, 'late'), late.signal), isReason('late'));
  await turn();
  assert.equal(table.open.length, 2, 'what is gone is not counted');
  late.abort('late');
  await waiting;
  const next = new AbortController();
  const alone = assert.rejects(reads.read(['next'], next.signal), isReason('next'));
  await turn();
  assert.equal(table.open.length, 2, 'nor are the late ones');
  next.abort('next');
  await alone;
  mock.timers.tick(few.dynamoMaxReadWaitMs);
  table.take().answer();
  await turns();
  assert.deepEqual(sent(table), [['busy1']], 'what waited for nobody is gone');
  await assert.rejects(reads.read(['late'], late.signal), isReason('late'));
});

it('a batch that fails concerns those in it, and the rest of what they alone had asked for', async () => {
  const { table, reads } = sharedReads();
  const both = [reads.read(['a'], unbounded), reads.read(numbered(150, 'k'), unbounded)];
  await turn();
  const other = reads.read(['a'], unbounded);
  await turn();
  assert.equal(table.open.length, 2);
  const [first, second] = [table.take(), table.take()];
  const error = new Error('no permission');
  first.fail(error);
  for (const read of both) await assert.rejects(read, (thrown) => thrown === error);
  assert.equal(second.signal.aborted, true, 'nobody wants the other half');
  await turns();
  table.take().answer();
  assert.deepEqual(keysOf(await other), ['a']);
});

it('keys that are left out come again for those who want them, once; others are answered at once', async () => {
  const { table, reads, events } = sharedReads();
  const done = reads.read(['a'], unbounded);
  const again = [reads.read(['a', 'hot'], unbounded), reads.read(['hot'], unbounded)];
  await turn();
  table.take().answer(['hot']);
  assert.deepEqual(keysOf(await done), ['a']);
  assert.deepEqual([events.throttles, events.retries], [1, 1]);
  const newcomer = reads.read(['b'], unbounded);
  await turn();
  assert.deepEqual(sent(table), [['b']], 'who comes new is not held up');
  for (let ms = 0; table.open.length < 2 && ms < 1000; ms += 1) {
    mock.timers.tick(1);
    await turn();
  }
  assert.deepEqual(sent(table), [['b'], ['hot']]);
  table.take(1).answer();
  assert.deepEqual((await Promise.all(again)).map(keysOf), [['a', 'hot'], ['hot']]);
  table.take().answer();
  await newcomer;
});

it('who goes while its keys pause leaves nothing', async () => {
  const { table, reads } = sharedReads();
  const gone = new AbortController();
  const leaves = assert.rejects(reads.read(['hot'], gone.signal));
  await turn();
  table.take().answer(['hot']);
  await turn();
  gone.abort();
  await leaves;
  mock.timers.tick(1000);
  await turn();
  assert.equal(table.open.length, 0);
});

it('a large read of which batches are left out at once has as many tries as a small one', async () => {
  const { table, reads } = sharedReads();
  const found = reads.read(numbered(400, 'k'), unbounded);
  await turn();
  assert.equal(table.open.length, 4);
  for (const { keys } of [...table.open]) table.take().answer(keys);
  await turn();
  mock.timers.tick(1000);
  await turn();
  while (table.open.length > 0) table.take().answer();
  assert.equal((await found).size, 400);
});

it('keys that are always left out are given up, by those alone who want them', async () => {
  const { table, reads, events } = sharedReads();
  const fails = assert.rejects(
    reads.read(['hot', 'hotter'], unbounded),
    (error) =>
      error instanceof StoreError && /left out 2 keys 3 times/.test(error.message) && error.isOverload,
  );
  const gone = new AbortController();
  const leaves = assert.rejects(reads.read(['hot'], gone.signal));
  for (let tries = 1; tries <= 3; tries += 1) {
    const fine = reads.read([`k${tries}`], unbounded);
    await turn();
    assert.deepEqual(sent(table), [['hot', 'hotter', `k${tries}`]]);
    table.take().answer(['hot', 'hotter']);
    assert.deepEqual(keysOf(await fine), [`k${tries}`]);
    if (tries === 1) gone.abort();
    mock.timers.tick(1000);
  }
  await Promise.all([fails, leaves]);
  await turn();
  assert.equal(table.open.length, 0);
  assert.deepEqual([events.throttles, events.retries], [3, 2]);
});
