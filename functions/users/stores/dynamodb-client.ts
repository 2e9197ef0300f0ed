import { crc32 } from 'node:zlib';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Limits } from '../../limits.ts';
import { Sha256 } from '../../process/sha256.ts';
import type { StoreEvents, StoreSystem } from '../store.ts';
import { type Action, type Actions, DynamoError } from './dynamodb-api.ts';
import { type Answer, type ConnectionLimits, Connections } from './dynamodb-connections.ts';
import { type Credentials, type CredentialsProvider, CredentialsSource } from './dynamodb-credentials.ts';
import { type DynamoEndpoint, findEndpoint } from './dynamodb-endpoint.ts';
import { isThrottle, isUnknown } from './dynamodb-faults.ts';
import { isPassing, pause, RetryQuota } from './dynamodb-retries.ts';

/** What DynamoDB is called in telemetry. */
export const system: StoreSystem = 'aws.dynamodb';

/** How to reach DynamoDB. */
export interface DynamoClientOptions {
  /** Default: what `findEndpoint` finds. */
  readonly endpoint?: string | undefined;
  /** Default: the environment's, as all of AWS's tools find them. */
  readonly credentials?: CredentialsProvider | undefined;
  readonly limits: ConnectionLimits & Pick<Limits, 'dynamoMaxAttempts'>;
  readonly events: StoreEvents;
}

const contentType = 'application/x-amz-json-1.0';

/** Refusals of who asks, which others may get past, since credentials expire. */
const expired = new Set(['ExpiredTokenException', 'ExpiredToken', 'UnrecognizedClientException']);

/** Refusals of when it was asked. */
const skewed = new Set([
  'InvalidSignatureException',
  'RequestExpired',
  'RequestInTheFuture',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
]);
/** Signatures are good for five minutes: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html */
const maxSkewMs = 5 * 60_000;

/**
 * Asks DynamoDB in its JSON 1.0 protocol, and asks again what may succeed then. Credentials and signatures are those of
 * the AWS SDK; all of it costs more than three times as much as this (docs/decisions.md). It needs `close` at its end.
 */
export class DynamoClient {
  readonly #options: DynamoClientOptions;
  readonly #credentials: CredentialsSource;
  readonly #quota = new RetryQuota();
  #target: Promise<Target> | undefined;
  #signer: { readonly credentials: Credentials; readonly v4: SignatureV4 } | undefined;
  #isClosed = false;
  /** How much later it is at DynamoDB's. */
  #skewMs = 0;

  constructor(options: DynamoClientOptions) {
    this.#options = options;
    this.#credentials = new CredentialsSource(options.credentials);
  }

  /**
   * Sends a request until it succeeds, within `dynamoMaxAttempts`.
   *
   * @param read makes the output of the answer's text; throws if it is not JSON. Default: JSON.parse
   * @throws DynamoError, node's errors of networks, and those of who finds credentials and region, of the last attempt;
   *   the signal's reason once it is aborted
   */
  async send<Name extends Action, Output = Actions[Name]['output']>(
    action: Name,
    input: Actions[Name]['input'],
    signal: AbortSignal,
    read: (text: string) => Output = JSON.parse,
  ): Promise<Output> {
    const { limits, events } = this.#options;
    const body = JSON.stringify(input);
    let taken = 0;
    let followsUnknown = false;
    let wasMended = false;
    for (let attempts = 1; ; attempts += 1) {
      signal.throwIfAborted();
      // Without region or credentials another attempt would do no better.
      const { url, region, connections } = await this.#find();
      const signed = await this.#sign(url, region, action, body, signal);
      signal.throwIfAborted();
      try {
        const output = outputOf(await connections.send(signed.headers, body, signal), read);
        this.#quota.give(taken);
        return output;
      } catch (error) {
        signal.throwIfAborted();
        if (isThrottle(error)) events.throttled(system);
        if (error instanceof DynamoError) error.followsUnknown = followsUnknown;
        followsUnknown ||= isUnknown(error);
        if (attempts >= limits.dynamoMaxAttempts || this.#isClosed) throw error;
        // What was mended and is refused again has another reason.
        const isMended: boolean = !wasMended && (await this.#mend(error, signed.accessKeyId, signal));
        wasMended ||= isMended;
        if (!isMended && !isPassing(error)) throw error;
        taken = this.#quota.take(error);
        if (taken === 0) throw error;
        if (!isMended) await pause(attempts, error, signal);
        events.retried(system);
      }
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.stopWaiting();
    const target = await this.#target?.catch(() => undefined);
    target?.connections.close();
  }

  /** Ends the calls that have to wait for credentials, now and later; the others go on. */
  stopWaiting(): void {
    this.#credentials.stop();
  }

  /** It is looked for once, and once more after it was not found. */
  #find(): Promise<Target> {
    this.#target ??= this.#look().catch((error: unknown) => {
      this.#target = undefined;
      throw error;
    });
    return this.#target;
  }

  async #look(): Promise<Target> {
    const { endpoint, limits } = this.#options;
    const { url, region } = await findEndpoint(endpoint);
    return { url, region, connections: new Connections(url, limits) };
  }

  /** Makes the headers of an attempt: a signature is good for some minutes only. */
  async #sign(url: URL, region: string, action: Action, body: string, signal: AbortSignal): Promise<Signed> {
    const credentials = await this.#credentials.current(signal);
    if (this.#signer?.credentials !== credentials) {
      // Its hash is signed as it is: a header with it would only be for S3.
      const signing = { service: 'dynamodb', region, credentials, sha256: Sha256, applyChecksum: false };
      this.#signer = { credentials, v4: new SignatureV4(signing) };
    }
    const { protocol, hostname, host, pathname: path } = url;
    const target = `DynamoDB_20120810.${action}`;
    const given = { host, 'content-type': contentType, 'x-amz-target': target };
    const { headers } = await this.#signer.v4.sign(
      { method: 'POST', protocol, hostname, path, query: {}, headers: given, body },
      { signingDate: new Date(Date.now() + this.#skewMs) },
    );
    const unsigned = { 'content-length': Buffer.byteLength(body), 'user-agent': 'users-service' };
    return { headers: { ...headers, ...unsigned }, accessKeyId: credentials.accessKeyId };
  }

  /**
   * Does away with what may have been the reason of a refusal.
   *
   * @param accessKeyId of the credentials that were refused
   * @returns whether it has found something
   */
  async #mend(error: unknown, accessKeyId: string, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof DynamoError)) return false;
    if (expired.has(error.name)) {
      const current = await this.#credentials.current(signal);
      if (current.accessKeyId !== accessKeyId) return true;
      const next = await this.#credentials.next(signal).catch(() => current);
      return next.accessKeyId !== accessKeyId;
    }
    if (!skewed.has(error.name)) return false;
    const skewMs = error.atMs - Date.now();
    // Of requests that were refused together, the first has set the clock.
    if (!(Math.abs(skewMs) >= maxSkewMs || Math.abs(skewMs - this.#skewMs) >= maxSkewMs)) return false;
    this.#skewMs = skewMs;
    return true;
  }
}

interface Target extends DynamoEndpoint {
  readonly connections: Connections;
}

interface Signed {
  readonly headers: Record<string, string | number>;
  readonly accessKeyId: string;
}

/** @throws DynamoError if it is none; Error if it was damaged on its way: then nobody knows what has been done */
function outputOf<Output>(answer: Answer, read: (text: string) => Output): Output {
  const { status, headers, body } = answer;
  const sum = headers['x-amz-crc32'];
  if (sum !== undefined && Number(sum) !== crc32(body)) throw new Error('an answer has another checksum');
  if (status !== 200) throw errorOf(answer);
  try {
    return read(body.toString());
  } catch (cause) {
    throw new Error('an answer is not JSON', { cause });
  }
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html */
function errorOf({ status, headers, body }: Answer): DynamoError {
  const { __type: type, message, Message, CancellationReasons: reasons } = refusalOf(body);
  // As in `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException`.
  const name = typeof type === 'string' ? type.slice(type.indexOf('#') + 1) : `HTTP ${status}`;
  return new DynamoError(name, withoutSecrets(name, String(message ?? Message ?? 'no reason is given')), {
    status,
    atMs: Date.parse(headers.date ?? ''),
    reasons: Array.isArray(reasons) ? reasons : [],
  });
}

function refusalOf(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {}; // what is between may answer instead, in HTML
  }
}

/**
 * Refusals of a signature quote the request that should have been signed, line by line, with the session's token:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
 */
function withoutSecrets(name: string, message: string): string {
  const mayQuote = expired.has(name) || skewed.has(name) || name.startsWith('IncompleteSignature');
  if (!mayQuote && !/security-token|AWS4-/i.test(message)) return message;
  const [first = ''] = message.split('\n', 1);
  // What is as long as a signature.
  return first.replace(/[\w+/=%-]{64,}/g, '…');
}
