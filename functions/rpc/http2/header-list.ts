import type { EarlyRequest } from './engine.ts';
import type { FieldSink } from './hpack/decoder.ts';

/** Names and values of most requests. A longer list is not kept. */
const usualLength = 64;

/** The header fields of one request as they came, before anything is made of them. It is used again and again. */
export class HeaderList implements FieldSink, EarlyRequest {
  #fields: string[] = [];
  #length = 0;
  method = '';
  path = '';
  contentType = '';

  /** Forgets the request before. */
  clear(): void {
    // An array without elements has to be made room in again.
    if (this.#length > usualLength) this.#fields = [];
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
    for (let index = 0; index < this.#length; index += 2)
      to.field(this.#fields[index] ?? '', this.#fields[index + 1] ?? '');
  }
}
