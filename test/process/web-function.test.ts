// Proves, with the process of a second service, what a Web Function of AWS Lambda needs of any server: it listens where
// the platform says, takes the platform's id of a request and its form of a log, takes as many calls at a time as the
// platform gives it, ends a stream with a status before the platform would cut it, and ends with exit code 0 after
// SIGTERM though a call hangs, which hears UNAVAILABLE. Settings that can't be in that home are told, all at once.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { homeEnvironment } from '../../functions/process/home.ts';
import { ConfigError } from '../../functions/process/settings.ts';
import { functionMarginMs } from '../../functions/process/web-function.ts';
import { readConfig } from '../../functions/users/config.ts';
import { Echo } from '../rpc/gen/echo_pb.js';
import { runMain, type ServerProcess } from '../support/process.ts';

/** `maxConcurrencyPerEnvironment`, at most. https://docs.aws.amazon.com/lambda/latest/dg/web-functions-scaling.html */
const mostAtATime = 128;

const platform = { AWS_LAMBDA_HTTP_ENDPOINT: '0.0.0.0:3000' };

const problemsOf = async (env: NodeJS.ProcessEnv) => {
  const error = await homeEnvironment(env)
    .then((settings) => readConfig(settings))
    .then(
      () => assert.fail('nothing is wrong'),
      (reason: unknown) => reason,
    );
  assert.ok(error instanceof ConfigError);
  return error.problems;
};

describe('the settings of a Web Function', () => {
  it('are those of the platform, and what is set', async () => {
    const env = { ...platform, HOST: '127.0.0.1', PORT: '1', USERS_TABLE: 'users', AUTH: 'none' };
    const config = readConfig(await homeEnvironment({ ...env, DRAIN_TIMEOUT_MS: '200' }));
    const { host, port, store, trustedProxies, requestIdHeader, log, limits } = config;
    assert.deepEqual([host, port, store.kind, trustedProxies], ['0.0.0.0', 3000, 'dynamodb', 1]);
    assert.deepEqual([requestIdHeader, log.format], ['lambda-web-request-id', 'lambda']);
    assert.equal(limits.maxDeadlineMs, 30_000 - functionMarginMs);
    assert.equal(limits.defaultDeadlineMs, 30_000 - functionMarginMs);
    assert.equal(limits.maxWatchMs, 30_000 - functionMarginMs);
    assert.equal(limits.drainTimeoutMs, 200);
    assert.ok(limits.drainTimeoutMs + limits.flushTimeoutMs < 1_000);
  });

  it('follow its time-out', async () => {
    const env = { ...platform, USERS_TABLE: 'users', AUTH: 'none', FUNCTION_TIMEOUT_MS: '900000' };
    const { limits } = readConfig(await homeEnvironment(env));
    assert.equal(limits.maxDeadlineMs, 900_000 - functionMarginMs);
    assert.equal(limits.defaultDeadlineMs, 30_000);
  });

  it('hold no store that goes with the environment', async () => {
    for (const kind of ['sqlite', 'memory']) {
      const [problem] = await problemsOf({ ...platform, AUTH: 'none', USERS_STORE: kind });
      assert.match(problem ?? '', /^USERS_STORE must be dynamodb in a Web Function, not \w+: what it keeps/);
    }
  });

  it('can not outlast the platform, or end TLS', async () => {
    const env = {
      ...platform,
      MAX_DEADLINE_MS: '300000',
      TLS_CERT_FILE: 'cert.pem',
      FUNCTION_TIMEOUT_MS: '1',
    };
    const problems = await problemsOf(env);
    assert.deepEqual(
      problems.map((it) => it.split(' ', 1)[0]),
      ['FUNCTION_TIMEOUT_MS', 'MAX_DEADLINE_MS', 'TLS_CERT_FILE'],
    );
  });

  it('are none elsewhere', async () => {
    const env = { PORT: '1' };
    assert.equal(await homeEnvironment(env), env);
  });
});

describe('a Web Function', () => {
  it('serves with the ids and the log of the platform', async (t) => {
    const main = run(t);
    const { client } = await listening(main);
    let id: string | null = null;
    const headers = { 'lambda-web-request-id': 'of-the-platform', 'x-request-id': 'of-the-client' };
    const onHeader = (answer: Headers) => {
      id = answer.get('x-request-id');
    };
    assert.equal((await client.unary({ text: 'tom' }, { headers, onHeader })).text, 'hello tom');
    assert.equal(id, 'of-the-platform');
    const line = await logged(main, (it) => it.requestId === 'of-the-platform');
    assert.equal(line.level, 'INFO');
    assert.equal(typeof line.message, 'string');
    assert.match(String(line.timestamp), /^\d{4}-\d\d-\d\dT.*Z$/);
    await main.stop();
  });

  it('ends a stream with a status before the platform cuts it', async (t) => {
    const { client } = await listening(run(t, { FUNCTION_TIMEOUT_MS: '3000' }));
    const begunMs = performance.now();
    await assert.rejects(
      async () => {
        for await (const _ of client.serverStream({})) assert.fail('it is silent');
      },
      { code: Code.DeadlineExceeded },
    );
    assert.ok(performance.now() - begunMs >= 3_000 - functionMarginMs - 50);
  });

  it('takes all calls at a time that the platform gives an environment, and one more', async (t) => {
    const main = run(t);
    const { client } = await listening(main);
    const calls = Array.from({ length: mostAtATime }, () =>
      assert.rejects(client.unary({ hang: true }), { code: Code.Unavailable }),
    );
    const hanging = () => main.lines().filter((it) => it.message === 'hanging').length;
    await main.found(`${mostAtATime} calls`, () => hanging() === mostAtATime);
    assert.equal((await client.unary({ text: 'tom' })).text, 'hello tom');
    await main.stop();
    await Promise.all(calls);
  });

  it('ends though a call hangs, which hears why', async (t) => {
    const main = run(t);
    const { client } = await listening(main);
    const failed = assert.rejects(client.unary({ hang: true }), { code: Code.Unavailable });
    await logged(main, (it) => it.message === 'hanging');
    await main.stop();
    await failed;
  });
});

function run(t: Parameters<typeof runMain>[0], settings: Record<string, string> = {}): ServerProcess {
  // The platform says a port; here it has to be a free one.
  const env = { AWS_LAMBDA_HTTP_ENDPOINT: '127.0.0.1:0', PORT: '1', ...settings };
  return runMain(t, env, 'test/process/second-service.ts');
}

async function listening(main: ServerProcess) {
  const { port } = await logged(main, (it) => it.message === 'listening');
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '1.1' });
  return { client: createClient(Echo, transport) };
}

async function logged(main: ServerProcess, matches: (line: Record<string, unknown>) => boolean) {
  return main.found('a line', matches);
}
