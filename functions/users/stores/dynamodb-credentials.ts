import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { TimeoutError } from './dynamodb-connections.ts';

/** Gives the credentials that there are, or others than those with `forceRefresh`. */
export type CredentialsProvider = ReturnType<typeof defaultProvider>;

/** What requests are signed with. */
export type Credentials = Awaited<ReturnType<CredentialsProvider>>;

/** Programs that give credentials sign in somewhere first, and take seconds. */
const timeoutMs = 10_000;

/** Who gives credentials may count how often it is asked. */
const refreshEveryMs = 5_000;

/** The credentials of a client. They come from programs and hosts that may hang: nobody waits longer than he has to. */
export class CredentialsSource {
  readonly #provide: CredentialsProvider;
  readonly #stopping = new AbortController();
  #refreshed: { readonly atMs: number; readonly credentials: Promise<Credentials> } | undefined;

  /** @param provide default: the environment's, as all of AWS's tools find them */
  constructor(provide: CredentialsProvider = defaultProvider()) {
    this.#provide = provide;
  }

  /**
   * Returns the credentials that there are.
   *
   * @throws the signal's reason; TimeoutError; Error after `stop`; those of who finds credentials
   */
  current(signal: AbortSignal): Promise<Credentials> {
    return this.#inTime(this.#provide(), signal);
  }

  /**
   * Asks for other credentials, however many are refused, once in a while only. It costs none of the quota of retries,
   * which only successes fill: once that is spent, refused credentials would stay for good.
   *
   * @throws as `current`
   */
  next(signal: AbortSignal): Promise<Credentials> {
    const nowMs = performance.now();
    if (this.#refreshed === undefined || nowMs - this.#refreshed.atMs >= refreshEveryMs) {
      this.#refreshed = { atMs: nowMs, credentials: this.#provide({ forceRefresh: true }) };
    }
    return this.#inTime(this.#refreshed.credentials, signal);
  }

  /** Ends the calls that have to wait, now and later; credentials that there are still come. */
  stop(): void {
    this.#stopping.abort(new Error('the client was closed before there were credentials'));
  }

  async #inTime(credentials: Promise<Credentials>, signal: AbortSignal): Promise<Credentials> {
    const { promise: given, resolve, reject } = Promise.withResolvers<Credentials>();
    const stopping = this.#stopping.signal;
    const leave = () => reject(signal.reason);
    // Credentials that there are come first: who has them goes on.
    const end = () => setImmediate(reject, stopping.reason);
    const late = () => reject(new TimeoutError(`no credentials within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    signal.addEventListener('abort', leave);
    stopping.addEventListener('abort', end);
    credentials.then(resolve, reject);
    if (signal.aborted) leave();
    if (stopping.aborted) end();
    try {
      return await given;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
      stopping.removeEventListener('abort', end);
    }
  }
}
