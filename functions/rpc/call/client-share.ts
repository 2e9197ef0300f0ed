import type { Client } from './clients.ts';
import type { Connection } from './connection.ts';
import type { Share } from './memory-budget.ts';
import type { CallPolicy } from './policy.ts';

type SharePolicy = Pick<CallPolicy, 'limits' | 'memory' | 'clients' | 'untimedCalls' | 'strangers'>;

/** The part of all memory that calls of nobody may hold together, where callers have to say who they are. */
const strangersPart = 1 / 4;
/** What of that part those of one address may hold: others still get in whose credential takes time to check. */
const strangersPartPerAddress = 1 / 2;
/**
 * What calls of open paths may hold beyond all memory and beyond the strangers' part, as a part of the former: a load
 * balancer that gets no answer to its health checks ends the server, whoever holds the memory.
 */
const reservePart = 1 / 32;
/** The most that a client may hold with what is beyond: a few health checks, each with small headers. */
const maxReservedBytesPerClient = 32 * 1024;

/**
 * What one call takes of the shares of its client: memory, a watch, a place among its calls. The client is an address
 * until it is known who calls; then what was taken moves to the caller. All is given back when the call is gone.
 */
export class ClientShare {
  readonly #policy: SharePolicy;
  readonly #connection: Pick<Connection, 'client' | 'heldBytes'>;
  /** The client by its address. */
  readonly #address: Client;
  /** Whose shares they are. */
  #client: Client;
  #heldBytes = 0;
  readonly #calls: number;
  readonly #isOpen: boolean;
  #watches = 0;
  #isGivenBack = false;
  /** Counts the memory of those who are not known. */
  #strangers: Share | undefined;

  /**
   * @param address that trusted proxies name; `undefined` if the client is that of the connection
   * @param isCounted whether the call takes a place; one from within the process belongs to a call that has one
   * @param isOpen whether the call is one that everybody may make, such as a health check
   */
  constructor(
    address: string | undefined,
    connection: Pick<Connection, 'client' | 'heldBytes'>,
    isCounted: boolean,
    policy: SharePolicy,
    isOpen = false,
  ) {
    this.#policy = policy;
    this.#connection = connection;
    this.#address = address === undefined ? connection.client : policy.clients.enter(address);
    this.#client = this.#address;
    this.#calls = isCounted ? 1 : 0;
    this.#isOpen = isOpen;
    this.#client.calls += this.#calls;
    this.#strangers = isCounted ? policy.strangers : undefined;
  }

  /** The client's address. */
  get address(): string {
    return this.#address.name;
  }

  /** Whose shares they are: the caller's id, else the address. */
  get name(): string {
    return this.#client.name;
  }

  get hasTooManyCalls(): boolean {
    return this.#client.calls > this.#policy.limits.maxCallsPerClient;
  }

  /** Whether callers have to say who they are, and this one has not. */
  get isStranger(): boolean {
    return this.#strangers !== undefined;
  }

  /** Counts memory. False, and nothing is counted, if there is no more. */
  hold(bytes: number): boolean {
    const strangers = this.#strangers;
    const { memory, limits } = this.#policy;
    const reserveBytes = this.#mayUseReserve(bytes) ? limits.maxHeldBytes * reservePart : 0;
    const ofStrangers = limits.maxHeldBytes * strangersPart;
    const isTooMuch =
      strangers !== undefined &&
      (strangers.heldBytes + bytes > ofStrangers + reserveBytes ||
        this.#client.heldBytes + bytes > ofStrangers * strangersPartPerAddress);
    if (isTooMuch || !memory.hold(this.#connection, this.#client, bytes, reserveBytes)) return false;
    this.#heldBytes += bytes;
    if (strangers !== undefined) strangers.heldBytes += bytes;
    return true;
  }

  /** Gives back memory, unless all was given back. */
  release(bytes: number): void {
    if (this.#isGivenBack) return;
    this.#heldBytes -= bytes;
    if (this.#strangers !== undefined) this.#strangers.heldBytes -= bytes;
    this.#policy.memory.release(this.#connection, this.#client, bytes);
  }

  /** Counts memory that is not given back with the rest, but by what is returned. `undefined` if there is no more. */
  holdApart(bytes: number): (() => void) | undefined {
    const { memory, clients } = this.#policy;
    const [connection, client] = [this.#connection, this.#client];
    if (!memory.hold(connection, client, bytes)) return undefined;
    // Else a client that is gone would come again with nothing counted.
    clients.keep(client);
    return () => {
      memory.release(connection, client, bytes);
      clients.leave(client);
    };
  }

  /** Takes a watch. False if there is no more. */
  watch(): boolean {
    const { untimedCalls, limits } = this.#policy;
    const isTooMany =
      untimedCalls.count >= limits.maxWatches || this.#client.untimedCalls >= limits.maxWatchesPerClient;
    if (isTooMany) return false;
    this.#watches = 1;
    untimedCalls.count += 1;
    this.#client.untimedCalls += 1;
    return true;
  }

  /** Moves all that was taken to a caller. False, and nothing is moved, if it has no memory for that. */
  moveTo(callerId: string): boolean {
    const from = this.#client;
    if (this.#isGivenBack || from.name === callerId) return true;
    const { clients, memory } = this.#policy;
    const to = clients.enterNamed(callerId);
    if (!memory.move(from, to, this.#heldBytes)) {
      clients.leave(to);
      return false;
    }
    if (this.#strangers !== undefined) this.#strangers.heldBytes -= this.#heldBytes;
    this.#strangers = undefined;
    this.#count(from, -1);
    this.#count(to, 1);
    this.#client = to;
    if (from !== this.#address) clients.leave(from);
    return true;
  }

  /** Gives back all. */
  giveBack(): void {
    if (this.#isGivenBack) return;
    this.release(this.#heldBytes);
    this.#isGivenBack = true;
    this.#count(this.#client, -1);
    const { clients, untimedCalls } = this.#policy;
    untimedCalls.count -= this.#watches;
    if (this.#client !== this.#address) clients.leave(this.#client);
    if (this.#address !== this.#connection.client) clients.leave(this.#address);
  }

  /** Whoever fills the memory has none of it: only clients that hold hardly anything. */
  #mayUseReserve(bytes: number): boolean {
    return this.#isOpen && this.#client.heldBytes + bytes <= maxReservedBytesPerClient;
  }

  #count(client: Client, sign: 1 | -1): void {
    client.calls += sign * this.#calls;
    client.untimedCalls += sign * this.#watches;
  }
}
