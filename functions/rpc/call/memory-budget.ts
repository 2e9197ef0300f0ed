import type { RpcLimits } from '../limits.ts';

/** Whose share of the memory is counted: a connection or a client. */
export interface Share {
  heldBytes: number;
}

/**
 * What all calls together may hold in memory: bytes received, inflated, decoded and queued for sending. Each connection
 * and each client has a share, so that none can use it up alone.
 */
export class MemoryBudget {
  #heldBytes = 0;
  readonly #limits: RpcLimits;

  constructor(limits: RpcLimits) {
    this.#limits = limits;
  }

  /** How much is held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether so much more may be held. `reserveBytes`: what all together may hold beyond `maxHeldBytes` for this. */
  hasRoom(connection: Share, client: Share, bytes: number, reserveBytes = 0): boolean {
    const { maxHeldBytes, maxHeldBytesPerClient, maxHeldBytesPerConnection } = this.#limits;
    return (
      this.#heldBytes + bytes <= maxHeldBytes + reserveBytes &&
      client.heldBytes + bytes <= maxHeldBytesPerClient &&
      connection.heldBytes + bytes <= maxHeldBytesPerConnection
    );
  }

  /** Counts what a call is about to hold. Returns false, and counts nothing, if a limit would be exceeded. */
  hold(connection: Share, client: Share, bytes: number, reserveBytes = 0): boolean {
    if (!this.hasRoom(connection, client, bytes, reserveBytes)) return false;
    this.#heldBytes += bytes;
    client.heldBytes += bytes;
    connection.heldBytes += bytes;
    return true;
  }

  /** Counts what a client holds for another. Returns false, and changes nothing, if that has no share left. */
  move(from: Share, to: Share, bytes: number): boolean {
    if (to.heldBytes + bytes > this.#limits.maxHeldBytesPerClient) return false;
    from.heldBytes -= bytes;
    to.heldBytes += bytes;
    return true;
  }

  /** Gives back what was held. */
  release(connection: Share, client: Share, bytes: number): void {
    this.#heldBytes -= bytes;
    client.heldBytes -= bytes;
    connection.heldBytes -= bytes;
  }
}
