/**
 * What one client has under way. A client is an address: behind trusted proxies, the one that they name. Once a
 * credential has told who calls, the caller is the client.
 */
export class Client {
  /** Its address, or the caller's id. */
  readonly name: string;
  /** Its connections. Behind a load balancer it has none: they are the load balancer's. */
  connections = 0;
  /** Calls that are open, but for those from within the process. */
  calls = 0;
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
    return this.enterNamed(shareName(address));
  }

  /** The client of a caller's id. `leave` must follow. */
  enterNamed(name: string): Client {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = new Client(name);
      this.#clients.set(name, client);
    }
    client.uses += 1;
    return client;
  }

  /** One more use of a client that is known. `leave` must follow. */
  keep(client: Client): void {
    client.uses += 1;
  }

  /** Ends one use. With its last use, the client is forgotten. */
  leave(client: Client): void {
    client.uses -= 1;
    if (client.uses === 0) this.#clients.delete(client.name);
  }
}

/** A network of IPv6 (/64) counts as one client: whoever has one of its addresses has 2^64 (RFC 6177 section 2). */
export function shareName(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address);
  const [a = 0, b = 0, c = 0, d = 0, e, f, g = 0, h = 0] = groups;
  // A socket that takes both versions shows addresses of IPv4 so (RFC 4291 section 2.5.5.2).
  const isMapped = a + b + c + d === 0 && e === 0 && f === 0xffff;
  if (isMapped) return [g >> 8, g & 255, h >> 8, h & 255].join('.');
  return `${[a, b, c, d].map((group) => group.toString(16)).join(':')}::/64`;
}

/** The eight groups of an address of IPv6, in whatever form it is written (RFC 4291 section 2.2). */
function groupsOf(address: string): number[] {
  const hex = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
  const [left = [], right = []] = address
    .replace(/%.*$/, '') // the zone, which is ours and not the client's
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${hex(a, b)}:${hex(c, d)}`)
    .split('::')
    .map((side) => (side === '' ? [] : side.split(':')));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}
