import { randomBytes } from 'node:crypto';
import { createUsersClient, type UsersClient, type UsersClientOptions } from '../client/client.ts';
import type { Endpoint } from './endpoint.ts';
import type { Acknowledged } from './users-calls.ts';

/** Users that one check asks for. */
const checkedAtOnce = 500;
const removalsAtOnce = 8;

/** The users that a load signs up, by names that no other load has. */
export class SignedUp implements Acknowledged {
  readonly names: string[] = [];

  readonly #endpoint: Endpoint;
  readonly #way: Pick<UsersClientOptions, 'protocol' | 'httpVersion'>;
  readonly #run = randomBytes(6).toString('hex');
  #count = 0;

  /** @param way how it calls, where gRPC does not reach the service. Default: gRPC */
  constructor(endpoint: Endpoint, way: Pick<UsersClientOptions, 'protocol' | 'httpVersion'> = {}) {
    this.#endpoint = endpoint;
    this.#way = way;
  }

  next(): string {
    return this.#name(this.#count++);
  }

  /** How many sign-ups were acknowledged; and a line for each user of those who is not there. */
  async lost(): Promise<{ readonly acknowledged: number; readonly lost: readonly string[] }> {
    using client = this.#client();
    const lost: string[] = [];
    for (let from = 0; from < this.names.length; from += checkedAtOnce) {
      const user = this.names.slice(from, from + checkedAtOnce).map((username) => ({ username }));
      for await (const { result } of client.getUsers({ user })) {
        if (result.case !== 'user') lost.push(`${result.value?.username} was signed up, and is gone`);
      }
    }
    return { acknowledged: this.names.length, lost };
  }

  /** Removes all of them, acknowledged or not. */
  async remove(): Promise<void> {
    using client = this.#client();
    const left = Array.from({ length: this.#count }, (_, index) => this.#name(index)).values();
    const remove = async () => {
      for (const value of left) {
        const removal = () => client.deleteUser({ key: { key: { case: 'username', value } } });
        // The client repeats no removal by name. These names are nobody else's, so that once more does no harm.
        await removal().catch(removal);
      }
    };
    await Promise.all(Array.from({ length: removalsAtOnce }, remove));
  }

  #name(index: number): string {
    return `load-${this.#run}-${index}`;
  }

  #client(): UsersClient {
    const { url, ca, serverName, token } = this.#endpoint;
    return createUsersClient({ endpoint: url, serverName, token, tls: { ca }, ...this.#way });
  }
}
