import { webFunctionVariable } from './home.ts';
import { ConfigError, type Environment } from './settings.ts';

/** What the platform gives a request where nothing else is said, in ms, and what it can be told. */
export const functionTimeoutMs = { default: 30_000, from: 3_000, to: 900_000 };

/**
 * What is left of the platform's time-out when the last call ends. The platform's clock starts before ours, and the
 * status has to be out before it cuts the answer, which it does without a word
 * (https://docs.aws.amazon.com/lambda/latest/dg/web-functions-revisions-timeout.html).
 */
export const functionMarginMs = 1_500;

/** The longest deadline of a call, and of a watch, where the platform gives a request this time, in ms. */
export function longestCallMs(timeoutMs: number): number {
  return timeoutMs - functionMarginMs;
}

/**
 * The settings of a server that is a Web Function of AWS Lambda. What is set stays; else a setting has the value that
 * suits this home:
 *
 * - HOST and PORT are where the platform looks for the server, whatever is set;
 * - no call and no watch outlasts FUNCTION_TIMEOUT_MS (30,000), the time-out of the function;
 * - a drain ends within the second between SIGTERM and the end
 *   (https://docs.aws.amazon.com/lambda/latest/dg/web-functions-env-lifecycle.html);
 * - the platform is the one proxy, names each request, and has a form for lines of the log
 *   (https://docs.aws.amazon.com/lambda/latest/dg/web-functions-http.html);
 * - nobody comes past the platform, which keeps connections to the server, and may open one before it has a request.
 *
 * @throws ConfigError with everything that can't be in this home, a line each
 */
export function webFunctionEnvironment(env: Environment): Environment {
  const problems: string[] = [];
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(env[webFunctionVariable] ?? '') ?? [];
  if (host === undefined) problems.push(`${webFunctionVariable} must be host:port: the platform sets it`);
  const timeoutMs = timeoutOf(env, problems);
  for (const name of ['MAX_DEADLINE_MS', 'MAX_WATCH_MS']) {
    if (Number(env[name] || 0) > longestCallMs(timeoutMs)) {
      problems.push(
        `${name} must be at most ${longestCallMs(timeoutMs)} with FUNCTION_TIMEOUT_MS=${timeoutMs}: ` +
          'at that time the platform cuts a call without a status',
      );
    }
  }
  for (const name of ['TLS_CERT_FILE', 'TLS_KEY_FILE', 'TLS_CLIENT_CA_FILE']) {
    if (env[name]) problems.push(`${name} can't be set in a Web Function: the platform ends TLS`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const longestMs = String(longestCallMs(timeoutMs));
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  return {
    ...quiet,
    MAX_DEADLINE_MS: longestMs,
    MAX_WATCH_MS: longestMs,
    ...given,
    HOST: host?.replace(/^\[(.*)\]$/, '$1'),
    PORT: port,
  };
}

const quiet = {
  TRUSTED_PROXIES: '1',
  REQUEST_ID_HEADER: 'lambda-web-request-id',
  LOG_FORMAT: 'lambda',
  // Together with the end of the process they stay within a second.
  DRAIN_TIMEOUT_MS: '300',
  FLUSH_TIMEOUT_MS: '400',
  GOAWAY_TIMEOUT_MS: '100',
  HANDSHAKE_TIMEOUT_MS: '60000',
};

function timeoutOf(env: Environment, problems: string[]): number {
  const text = env.FUNCTION_TIMEOUT_MS;
  if (!text) return functionTimeoutMs.default;
  const { from, to } = functionTimeoutMs;
  const timeoutMs = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (timeoutMs >= from && timeoutMs <= to) return timeoutMs;
  problems.push(`FUNCTION_TIMEOUT_MS must be a whole number from ${from} to ${to}, not "${text}"`);
  return functionTimeoutMs.default;
}
