import type { LiveAnswer } from '../../contract.ts';
import { problemOf } from '../problem.ts';
import type { Session } from '../session.ts';

/** How often a page that is looked at asks, and at least when the server fails. */
const everyMs = 1_000;
const maxPauseMs = 30_000;
/** Whoever types a credential is not asked about each letter of it. */
const typedForMs = 600;

/** Asks the server for what has happened since, while somebody looks. */
export class LivePoll {
  readonly #session: Session;
  readonly #received: (answer: LiveAnswer) => void;
  readonly #failed: (problem: string | undefined) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #after = 0;
  #failures = 0;
  #isShown = false;
  #isAsking = false;

  /** @param failed is told why there is no answer, and with `undefined` that there is one again */
  constructor(
    session: Session,
    received: (answer: LiveAnswer) => void,
    failed: (problem: string | undefined) => void,
  ) {
    this.#session = session;
    this.#received = received;
    this.#failed = failed;
    document.addEventListener('visibilitychange', () => this.#again());
    let credential = session.credential;
    session.watch(() => {
      if (session.credential === credential) return;
      credential = session.credential;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#again(), typedForMs);
    });
  }

  /** Asks from now on, or no more. */
  show(isShown: boolean): void {
    this.#isShown = isShown;
    this.#again();
  }

  /** Asks at once if somebody looks; else waits until somebody does. */
  #again(): void {
    clearTimeout(this.#timer);
    this.#failures = 0;
    if (this.#isShown && !document.hidden && !this.#isAsking) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      const response = await fetch(`/console/live?after=${this.#after}`, {
        headers: this.#session.headers(),
      });
      this.#session.heard(response.status);
      if (response.ok) {
        // The server's, by the contract.
        const answer = (await response.json()) as LiveAnswer;
        this.#failures = 0;
        this.#after = answer.last;
        this.#failed(undefined);
        this.#received(answer);
      } else this.#fail(await problemOf(response, this.#session.credential !== '', 'console.live'));
    } catch {
      this.#session.heard(undefined);
      this.#fail('The server does not answer. The page asks again.');
    }
    this.#isAsking = false;
    if (!this.#isShown || document.hidden) return;
    this.#timer = setTimeout(() => void this.#ask(), Math.min(maxPauseMs, everyMs * 2 ** this.#failures));
  }

  #fail(problem: string): void {
    this.#failures++;
    // A server that was started anew counts from the beginning.
    this.#after = 0;
    this.#failed(problem);
  }
}
