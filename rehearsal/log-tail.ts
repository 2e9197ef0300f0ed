import { closeSync, openSync, readSync } from 'node:fs';

/** Reads what comes new to a file that others write, line by line. */
export class LogTail implements Disposable {
  readonly #path: string;
  #file: number | undefined;
  #at = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** The lines that have come since the last time. */
  lines(): string[] {
    try {
      this.#file ??= openSync(this.#path, 'r');
    } catch {
      return []; // not there yet
    }
    const chunk = Buffer.alloc(256 * 1024);
    let text = this.#rest;
    for (;;) {
      const count = readSync(this.#file, chunk, 0, chunk.length, this.#at);
      if (count === 0) break;
      this.#at += count;
      text += chunk.toString('utf8', 0, count);
    }
    const lines = text.split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
