import type { ConnectError } from '@connectrpc/connect';
import { ExchangeCall } from '../call/exchange-call.ts';
import type { CallPolicy } from '../call/policy.ts';
import type { Exchange } from './exchange.ts';

/** How a request is refused. */
export interface Refusal {
  /** What the client seems to speak, for the log. */
  readonly protocol: string;
  /** The path that it asked for, without the query. */
  readonly path: string;
  /** As the log has it: nothing of it is what the client has sent. */
  readonly error: ConnectError;
  /** Says so, in the words of the client's protocol. */
  readonly answer: (requestId: string, error: ConnectError) => void;
}

/** A request that nothing takes: a call that is over when it begins. Its body is not read. */
export class RefusedCall extends ExchangeCall {
  readonly #refusal: Refusal;

  constructor(exchange: Exchange, refusal: Refusal, policy: CallPolicy) {
    const { protocol, path } = refusal;
    super({ protocol, path, method: undefined, askedMs: undefined, isUntimed: false }, exchange, policy);
    this.#refusal = refusal;
  }

  start(): void {
    this.exchange.receive(this);
    this.begin(this.#refusal.error);
  }

  received(): void {}

  receivedAll(): void {}

  protected override get usedSignal(): undefined {
    return undefined;
  }

  protected override enter(): void {}

  protected override say(error: ConnectError): void {
    this.#refusal.answer(this.requestId, error);
  }

  protected override ended(): void {}

  protected override roomAgain(): void {}
}
