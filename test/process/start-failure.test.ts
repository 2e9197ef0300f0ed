// Proves that what the system says of an address becomes a line that names the setting to change, as it is set.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConfigError } from '../../functions/process/settings.ts';
import { describeStartFailure } from '../../functions/process/start-failure.ts';

const systemError = (code: string, syscall: string) =>
  Object.assign(new Error(`${syscall} ${code}`), { code, syscall });

it('a port that only root may have', () => {
  assert.equal(
    describeStartFailure(systemError('EACCES', 'listen'), { PORT: '80' }),
    'There is no right to listen at port 80 of 127.0.0.1: set PORT, to 1024 or more.',
  );
});

it('a setting that is empty is the default', () => {
  const line = 'The port 50051 of 127.0.0.1 is in use: end the program that listens there, or set PORT.';
  for (const env of [{}, { PORT: '', HOST: '' }]) {
    assert.equal(describeStartFailure(systemError('EADDRINUSE', 'listen'), env), line);
  }
});

it('a name or an address of another machine', () => {
  for (const error of [systemError('EADDRNOTAVAIL', 'listen'), systemError('ENOTFOUND', 'getaddrinfo')]) {
    assert.equal(
      describeStartFailure(error, { HOST: 'there' }),
      'there is not an address of this machine: set HOST.',
    );
  }
});

it('errors that say themselves what to mend are their message, and no others', () => {
  class StoreError extends Error {}
  const settings = new ConfigError(['PORT must be …', 'HOST must be …']);
  assert.equal(describeStartFailure(settings, {}), 'PORT must be …\nHOST must be …');
  const store = new StoreError('the users file is broken');
  assert.equal(describeStartFailure(store, {}, [StoreError]), 'the users file is broken');
  assert.equal(describeStartFailure(store, {}), store);
});

it('what nobody foresaw stays whole, with its stack', () => {
  for (const error of [systemError('EACCES', 'open'), new TypeError('ours'), 'text']) {
    assert.equal(describeStartFailure(error, {}), error);
  }
});
