import type { EarlyRequest } from './engine.ts';
import type { FieldSink } from './hpack/decoder.ts';

/** Names and values of a request of twice as many fields as those of gRPC have. */
const maxKept = 64;

/** The header fields of one request as they came, before anything is made of them. It is used again and again. */
export class HeaderList implements FieldSink, EarlyRequest {
  /**
   * Names and values in turn. What follows the first `#length` is of requests before, unless it was much: to empty the
   * list each time makes garbage.
   */
  readonly #fields: string[] = [];
  #length = 0;
  method = '';
  path = '';
  contentType = '';

  /** Forgets the request before. */
  clear(): void {
    if (this.#length > maxKept) this.#fields.length = 0;
    this.#length = 0;
    this.method = '';
    this.path = '';
    this.contentType = '';
  }

  field(name: string, value: string): void {
    this.#fields[this.#length++] = name;
    this.#fields[this.#length++] = value;
    if (name === ':path') this.path = value;
    else if (name === 'content-type') this.contentType = value;
    else if (name === ':method') this.method = value;
  }

  /** Hands the fields on, as the decoder would have. */
  replay(to: FieldSink): void {
    for (let index = 0; index < this.#length; index += 2) {
      to.field(this.#fields[index] ?? '', this.#fields[index + 1] ?? '');
    }
  }
}
