import type { EarlyRequest } from './engine.ts';
import type { FieldSink } from './hpack/decoder.ts';

/** The header fields of one request as they came, before anything is made of them. It is used again and again. */
export class HeaderList implements FieldSink, EarlyRequest {
  readonly #fields: string[] = [];
  method = '';
  path = '';
  contentType = '';

  /** Forgets the request before. */
  clear(): void {
    this.#fields.length = 0;
    this.method = '';
    this.path = '';
    this.contentType = '';
  }

  field(name: string, value: string): void {
    this.#fields.push(name, value);
    if (name === ':path') this.path = value;
    else if (name === 'content-type') this.contentType = value;
    else if (name === ':method') this.method = value;
  }

  /** Hands the fields on, as the decoder would have. */
  replay(to: FieldSink): void {
    const fields = this.#fields;
    for (let index = 0; index < fields.length; index += 2)
      to.field(fields[index] ?? '', fields[index + 1] ?? '');
  }
}
