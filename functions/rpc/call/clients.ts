/** What one client has under way. A client is an address: behind trusted proxies, the one that they name. */
export class Client {
  /** Its address. */
  readonly name: string;
  /** Its connections. Behind a load balancer it has none: they are the load balancer's. */
  connections = 0;
  /** Calls that last as long as their client wants. */
  untimedCalls = 0;
  /** What its calls hold in memory. */
  heldBytes = 0;
  /** Connections and calls that name it. */
  uses = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** The clients that have something under way, by address. Nobody else is remembered. */
export class Clients {
  readonly #clients = new Map<string, Client>();

  /** How many there are. */
  get count(): number {
    return this.#clients.size;
  }

  /** The client of an address. `leave` must follow. */
  enter(address: string): Client {
    const name = shareName(address);
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = new Client(name);
      this.#clients.set(name, client);
    }
    client.uses += 1;
    return client;
  }

  /** Ends one use. With its last use, the client is forgotten. */
  leave(client: Client): void {
    client.uses -= 1;
    if (client.uses === 0) this.#clients.delete(client.name);
  }
}

/** A network of IPv6 (/64) counts as one client: whoever has one of its addresses has 2^64 (RFC 6177 section 2). */
function shareName(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [left = '', right] = address.split('::');
  const head = left.split(':').map((group) => group || '0');
  const missing = right === undefined ? [] : Array<string>(4).fill('0');
  return `${[...head, ...missing].slice(0, 4).join(':')}::/64`;
}
