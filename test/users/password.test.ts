// Proves that passwords are hashed with argon2id and the parameters the hash carries; that the same salt makes the
// same hash; that a check finds the right password alone, derives as often whatever it is given, and makes hashes with
// older parameters anew; that no more hash at once, and wait, than the limits say; and that an abort frees the place.
import assert from 'node:assert/strict';
import { argon2Sync, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { Metrics, RetryInfoSchema } from '../../functions/rpc/index.ts';
import { type ParameterSets, passwordHasher, saltBytes } from '../../functions/users/password.ts';

const never = { signal: new AbortController().signal };
const salt = randomBytes(saltBytes);

/** A hasher of so many at once, with so many waiting, of whom one client may have so many. */
const hasherOf = (maxConcurrentHashes: number, maxQueuedHashes: number, maxQueuedHashesPerClient = 64) =>
  passwordHasher({ maxConcurrentHashes, maxQueuedHashes, maxQueuedHashesPerClient });

function isOverloaded(error: unknown): boolean {
  return (
    error instanceof ConnectError &&
    error.code === Code.Unavailable &&
    error.details.some((it) => 'desc' in it && it.desc === RetryInfoSchema)
  );
}

describe('passwordHasher', () => {
  it('makes a PHC string from which the password can be verified', async () => {
    const phc = await hasherOf(1, 0).hash('pässword', salt, never);
    const [, algorithm, version, parameters = '', saltText = '', tagText = ''] = phc.split('$');
    assert.equal(algorithm, 'argon2id');
    assert.equal(version, 'v=19');
    assert.equal(parameters, 'm=19456,t=2,p=1');
    assert.deepEqual(Buffer.from(saltText, 'base64'), salt);
    const tag = argon2Sync('argon2id', {
      message: 'pässword',
      nonce: salt,
      memory: 19456,
      passes: 2,
      parallelism: 1,
      tagLength: 32,
    });
    assert.equal(tagText, tag.toString('base64').replaceAll('=', ''));
  });

  it('makes the same string again for the same salt, and another for another', async () => {
    const hasher = hasherOf(2, 3);
    const other = randomBytes(saltBytes);
    const hashes = await Promise.all([salt, salt, other].map((one) => hasher.hash('password', one, never)));
    assert.equal(hashes[0], hashes[1]);
    assert.notEqual(hashes[0], hashes[2]);
  });

  it('refuses at once what neither runs nor waits, and takes it when there is room', async () => {
    const hasher = hasherOf(1, 1);
    const order: string[] = [];
    const note = (name: string) => hasher.hash(name, salt, never).then(() => order.push(name));
    const first = note('running first');
    const second = note('waiting next');
    await assert.rejects(hasher.hash('too much', salt, never), isOverloaded);
    assert.deepEqual(order, []);
    await Promise.all([first, second]);
    assert.deepEqual(order, ['running first', 'waiting next']);
    await hasher.hash('room again', salt, never);
  });

  it('leaves the queue when aborted, with the reason, and nobody loses a place by it', async () => {
    const hasher = hasherOf(1, 1);
    const caller = new AbortController();
    const running = hasher.hash('running', salt, never);
    const waiting = hasher.hash('waiting', salt, { signal: caller.signal });
    const reason = new Error('gone');
    caller.abort(reason);
    await assert.rejects(waiting, reason);
    const next = hasher.hash('in its place', salt, never);
    await Promise.all([running, next]);
  });

  it('throws the reason when aborted before it begins or while it hashes', async () => {
    const hasher = hasherOf(1, 0);
    const reason = new Error('gone');
    await assert.rejects(hasher.hash('password', salt, { signal: AbortSignal.abort(reason) }), reason);
    const caller = new AbortController();
    const hashing = hasher.hash('password', salt, { signal: caller.signal });
    caller.abort(reason);
    await assert.rejects(hashing, reason);
    await hasher.hash('the place is free', salt, never);
  });

  it('hashes as many as asked for, in bounded numbers', async () => {
    const hasher = hasherOf(2, 8);
    const hashes = Array.from({ length: 10 }, (_, i) => hasher.hash(`password ${i}`, salt, never));
    assert.equal(new Set(await Promise.all(hashes)).size, 10);
  });

  it('serves clients in turn, whoever came first and however much the others have waiting', async () => {
    const hasher = hasherOf(1, 10);
    const order: string[] = [];
    const hashes = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'].map((name) =>
      hasher.hash(name, salt, { ...never, client: name.charAt(0) }).then(() => order.push(name)),
    );
    await Promise.all(hashes);
    assert.deepEqual(order, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  it('refuses a client whose share is full, and takes others until the queue is', async () => {
    const hasher = hasherOf(1, 3, 2);
    const hash = (client: string) => hasher.hash('password', salt, { ...never, client });
    const taken = [hash('a'), hash('a'), hash('a')];
    await assert.rejects(hash('a'), isOverloaded);
    taken.push(hash('b'));
    await assert.rejects(hash('c'), isOverloaded, 'the queue is full');
    await Promise.all(taken);
    await Promise.all([hash('a'), hash('a'), hash('a')]);
  });

  it('gives back the place in a share, and the turn, of those who leave', async () => {
    const hasher = hasherOf(1, 4, 2);
    const order: string[] = [];
    const callers = ['run', 'a1', 'a2', 'b1'].map((name) => {
      const caller = new AbortController();
      const call = { signal: caller.signal, client: name.charAt(0) };
      return { caller, done: hasher.hash(name, salt, call).then(() => order.push(name)) };
    });
    const [running, a1, a2, b1] = callers;
    const reason = new Error('gone');
    a1?.caller.abort(reason);
    await assert.rejects(a1?.done ?? Promise.resolve(), reason);
    const a3 = hasher.hash('a3', salt, { ...never, client: 'a' }).then(() => order.push('a3'));
    running?.caller.abort(reason); // it hashes on, and its place goes to the next when it is done
    await assert.rejects(running?.done ?? Promise.resolve(), reason);
    await Promise.all([a2?.done, a3, b1?.done]);
    assert.deepEqual(order, ['a2', 'b1', 'a3']);
  });
});

describe('a check', () => {
  const [current, older, oldest]: ParameterSets[number][] = [24, 16, 8].map((memoryKiB) => ({
    memoryKiB,
    passes: 1,
    lanes: 1,
  }));
  assert.ok(current && older && oldest);
  const limits = { maxConcurrentHashes: 1, maxQueuedHashes: 0, maxQueuedHashesPerClient: 1 };
  const password = 'pässword';

  function hasherWith(...sets: ParameterSets) {
    const metrics = new Metrics();
    const hasher = passwordHasher(limits, metrics, sets);
    const derivations = () => {
      const metric = metrics.collect().find(({ name }) => name === 'users.password.hash.duration');
      return metric?.kind === 'histogram' ? (metric.points[0]?.count ?? 0) : assert.fail();
    };
    return { hasher, derivations };
  }

  it('finds the right password alone, of every set of parameters, and makes older ones anew', async () => {
    const { hasher } = hasherWith(current, older, oldest);
    for (const set of [current, older, oldest]) {
      const phc = await hasherWith(set).hasher.hash(password, salt, never);
      const { isRight, renewed } = await hasher.check(password, phc, never);
      assert.equal(isRight, true);
      assert.equal(renewed === undefined, set === current);
      if (renewed !== undefined) {
        assert.match(renewed, /m=24,/);
        assert.ok(!renewed.includes(phc.split('$')[4] ?? ''), 'its salt is another one');
        assert.deepEqual(await hasher.check(password, renewed, never), { isRight: true });
      }
      for (const wrong of ['password', '', `${password} `, password.normalize('NFD')])
        assert.deepEqual(await hasher.check(wrong, phc, never), { isRight: false });
    }
  });

  it('derives as often whether there is a hash or none, and of whichever set', async () => {
    const { hasher, derivations } = hasherWith(current, older);
    const hashes = await Promise.all(
      [current, older, oldest].map((set) => hasherWith(set).hasher.hash(password, salt, never)),
    );
    for (const phc of [...hashes, undefined, '', 'rubbish', `${hashes[0]}=`]) {
      const before = derivations();
      assert.deepEqual(await hasher.check('wrong', phc, never), { isRight: false });
      assert.equal(derivations() - before, 2, phc);
    }
  });

  it('finds no password right where there is no hash, or one of unknown parameters', async () => {
    const { hasher } = hasherWith(current);
    const unknown = await hasherWith(older).hasher.hash(password, salt, never);
    for (const phc of [unknown, undefined, ''])
      assert.deepEqual(await hasher.check(password, phc, never), { isRight: false });
  });

  it('takes no text for another one whose UTF-8 is the same', async () => {
    const { hasher } = hasherWith(current);
    const phc = await hasher.hash('open \ufffd sesame', salt, never);
    assert.deepEqual(await hasher.check('open \ufffd sesame', phc, never), { isRight: true });
    assert.deepEqual(await hasher.check('open \ud800 sesame', phc, never), { isRight: false });
  });

  it('takes one turn, however many sets there are, and the same queue', async () => {
    const { hasher } = hasherWith(current, older, oldest);
    const first = hasher.check(password, undefined, never);
    await assert.rejects(hasher.check(password, undefined, never), isOverloaded);
    await first;
    const reason = new Error('gone');
    await assert.rejects(hasher.check(password, undefined, { signal: AbortSignal.abort(reason) }), reason);
    await hasher.check(password, undefined, never);
  });
});
