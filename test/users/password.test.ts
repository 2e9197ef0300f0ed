// Proves that passwords are hashed with argon2id and the parameters the hash carries; that the same salt makes the
// same hash; that no more hash at once, and wait, than the limits say; and that an abort frees the place.
import assert from 'node:assert/strict';
import { argon2Sync, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { passwordHasher, saltBytes } from '../../functions/users/password.ts';
import { RetryInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';

const never = new AbortController().signal;
const salt = randomBytes(saltBytes);

function isOverloaded(error: unknown): boolean {
  return (
    error instanceof ConnectError &&
    error.code === Code.Unavailable &&
    error.details.some((it) => 'desc' in it && it.desc === RetryInfoSchema)
  );
}

describe('passwordHasher', () => {
  it('makes a PHC string from which the password can be verified', async () => {
    const phc = await passwordHasher({ maxConcurrentHashes: 1, maxQueuedHashes: 0 }).hash(
      'pässword',
      salt,
      never,
    );
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
    const hasher = passwordHasher({ maxConcurrentHashes: 2, maxQueuedHashes: 3 });
    const other = randomBytes(saltBytes);
    const hashes = await Promise.all([salt, salt, other].map((one) => hasher.hash('password', one, never)));
    assert.equal(hashes[0], hashes[1]);
    assert.notEqual(hashes[0], hashes[2]);
  });

  it('refuses at once what neither runs nor waits, and takes it when there is room', async () => {
    const hasher = passwordHasher({ maxConcurrentHashes: 1, maxQueuedHashes: 1 });
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
    const hasher = passwordHasher({ maxConcurrentHashes: 1, maxQueuedHashes: 1 });
    const caller = new AbortController();
    const running = hasher.hash('running', salt, never);
    const waiting = hasher.hash('waiting', salt, caller.signal);
    const reason = new Error('gone');
    caller.abort(reason);
    await assert.rejects(waiting, reason);
    const next = hasher.hash('in its place', salt, never);
    await Promise.all([running, next]);
  });

  it('throws the reason when aborted before it begins or while it hashes', async () => {
    const hasher = passwordHasher({ maxConcurrentHashes: 1, maxQueuedHashes: 0 });
    const reason = new Error('gone');
    await assert.rejects(hasher.hash('password', salt, AbortSignal.abort(reason)), reason);
    const caller = new AbortController();
    const hashing = hasher.hash('password', salt, caller.signal);
    caller.abort(reason);
    await assert.rejects(hashing, reason);
    await hasher.hash('the place is free', salt, never);
  });

  it('hashes as many as asked for, in bounded numbers', async () => {
    const hasher = passwordHasher({ maxConcurrentHashes: 2, maxQueuedHashes: 8 });
    const hashes = Array.from({ length: 10 }, (_, i) => hasher.hash(`password ${i}`, salt, never));
    assert.equal(new Set(await Promise.all(hashes)).size, 10);
  });
});
