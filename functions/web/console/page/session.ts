/** Whether the server answers, and takes the credential. */
export type Connection = 'loading' | 'connected' | 'refused' | 'unreachable';

/** What all views share: who calls, and how the server was last heard. Nothing of it outlives the page. */
export class Session {
  readonly #watchers = new Set<() => void>();
  #credential = '';
  #connection: Connection = 'loading';

  /** A key or token, or nothing. It is in this field alone: not in storage, not in a link, not in a command to copy. */
  get credential(): string {
    return this.#credential;
  }

  set credential(text: string) {
    // People copy a line break with it, which no header can have, or the whole header.
    this.#credential = text.trim().replace(/^(authorization:\s*)?bearer\s+/i, '');
    this.#tell();
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Tells of an HTTP status that came, or with `undefined` that none did. */
  heard(status: number | undefined): void {
    // Who lacks a scope is known all the same: the view says what it needs.
    this.#connection = status === undefined ? 'unreachable' : status === 401 ? 'refused' : 'connected';
    this.#tell();
  }

  /** The headers that say who calls. */
  headers(): Headers {
    const headers = new Headers();
    if (this.#credential !== '') headers.set('authorization', `Bearer ${this.#credential}`);
    return headers;
  }

  /** Calls `changed` after each change. */
  watch(changed: () => void): void {
    this.#watchers.add(changed);
  }

  #tell(): void {
    for (const changed of this.#watchers) changed();
  }
}
