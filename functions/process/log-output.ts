import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/**
 * Lines wait for others this long at most: a write for each is a system call for each, and every write delays calls.
 */
const flushIntervalMs = 250;
/** Once this much waits, it is written. */
const portionCharacters = 1024 * 1024;
/** This much waits for a reader that does not read, or a disk that is full; further lines are lost. */
const maxWaitingCharacters = 8 * 1024 * 1024;

/** What was not written of a text. */
interface Loss {
  readonly code: string | undefined;
  readonly lines: number;
  /** Whether the last line that was written may lack its end. */
  readonly isTorn: boolean;
}

/** Writes a text, at once or later, and says what was lost of it. */
type Sink = (text: string, done: (loss: Loss | undefined) => void) => void;

/** How the lines of a log become text. */
export interface LogOutputOptions {
  /** Makes the text of a line, both with the newline at the end. */
  readonly format: (line: string) => string;
  /** Whether somebody is watching: each line is written at once. */
  readonly isImmediate: boolean;
  /** The names of what each line has, for lines of its own. Default: those of pino. */
  readonly names?: LineNames;
}

/** What the time and the text of a line are called, and how a level is written. */
export interface LineNames {
  readonly timeKey: string;
  readonly textKey: string;
  level(number: number): string | number;
}

const pinoNames: LineNames = { timeKey: 'time', textKey: 'msg', level: (number) => number };

/**
 * Writes lines to standard output in large portions. (pino's own destination measures all that waits anew with every
 * line, which takes longer than making the line.) The service goes on when nobody reads, or nothing can be written:
 * lost lines are counted, and a line tells of them as soon as one can be written. Only a reader that closes the pipe
 * ends it for good.
 */
export class LogOutput {
  readonly #sink: Sink;
  readonly #format: LogOutputOptions['format'];
  readonly #portionCharacters: number;
  readonly #names: LineNames;
  #waiting = '';
  #writingCharacters = 0;
  #lostLines = 0;
  #isTorn = false;
  #hasReader = true;
  /** Callers of `flush`, to be told once nothing waits. */
  #flushed: (() => void)[] = [];

  constructor({ format, isImmediate, names = pinoNames }: LogOutputOptions) {
    this.#sink = standardOutput();
    this.#format = format;
    this.#names = names;
    this.#portionCharacters = isImmediate ? 1 : portionCharacters;
    setInterval(() => this.#flush(), flushIntervalMs).unref();
    process.on('exit', () => this.#writeRest());
  }

  /** Takes a line with its newline. */
  write(line: string): void {
    if (!this.#hasReader || !this.#take(this.#format(line))) return;
    // What was lost is told by the interval alone: a full disk is not tried anew with each line.
    if (this.#waiting.length >= this.#portionCharacters && this.#lostLines === 0) this.#flush();
  }

  /** Whether somebody may still read what is written: false once a reader has closed the pipe. */
  get hasReader(): boolean {
    return this.#hasReader;
  }

  /**
   * Takes lines that are as they are to be written, each with its newline, such as those of another process, and writes
   * them; `done` as for `flush`.
   */
  pass(lines: string, done: () => void): void {
    if (this.#hasReader) this.#take(lines);
    this.flush(done);
  }

  /** Writes what waits; `done` is called once it is written, or can't be. pino's `log.flush` comes here. */
  flush(done: () => void): void {
    this.#flushed.push(done);
    this.#flush();
  }

  /** Has a text wait. False if there is no room: it is lost. */
  #take(text: string): boolean {
    if (this.#waiting.length + this.#writingCharacters + text.length > maxWaitingCharacters) {
      this.#lostLines += linesIn(Buffer.from(text));
      return false;
    }
    this.#waiting += text;
    return true;
  }

  /**
   * Writes what waits, unless a write is under way. What was lost is told first: what follows waits until that goes.
   */
  #flush(): void {
    if (this.#writingCharacters > 0) return;
    const lostLines = this.#lostLines;
    const text = lostLines > 0 ? this.#lostNotice() : this.#waiting;
    if (text === '') return this.#settle();
    if (lostLines === 0) this.#waiting = '';
    this.#writingCharacters = text.length;
    this.#sink(text, (loss) => {
      this.#writingCharacters = 0;
      if (loss === undefined) {
        this.#lostLines -= lostLines;
        this.#isTorn = false;
        const isUrgent = this.#flushed.length > 0 || this.#waiting.length >= this.#portionCharacters;
        if (lostLines > 0 || isUrgent) this.#flush();
        return;
      }
      // The notice itself is none of the lines that are lost.
      if (lostLines === 0) this.#lostLines += loss.lines;
      this.#isTorn ||= loss.isTorn;
      if (loss.code === 'EPIPE') this.#endForGood();
      this.#settle();
    });
  }

  #settle(): void {
    const flushed = this.#flushed;
    this.#flushed = [];
    for (const done of flushed) done();
  }

  #lostNotice(): string {
    const { timeKey, textKey, level } = this.#names;
    const fields = { level: level(40), [timeKey]: new Date().toISOString(), lines: this.#lostLines };
    const notice = this.#format(
      `${JSON.stringify({ ...fields, [textKey]: 'lines of the log were lost' })}\n`,
    );
    return this.#isTorn ? `\n${notice}` : notice;
  }

  /** The reader has gone: nobody is left to be told. */
  #endForGood(): void {
    this.#hasReader = false;
    this.#waiting = '';
    this.#lostLines = 0;
  }

  /** The process exits: nothing can wait any more. Of a pipe, the kernel takes what it has room for. */
  #writeRest(): void {
    const text = (this.#lostLines > 0 ? this.#lostNotice() : '') + this.#waiting;
    if (text !== '') this.#sink(text, () => {});
  }
}

/** Pipes and terminals are streams; anything else is a file, as far as node is concerned. */
function standardOutput(): Sink {
  const stdout: Writable = process.stdout;
  // What a write reports comes here too, and would end the process.
  stdout.on('error', () => {});
  return stdout instanceof Socket ? streamSink(stdout) : fileSink(process.stdout.fd);
}

function streamSink(stream: Writable): Sink {
  return (text, done) => {
    stream.write(text, (error: NodeJS.ErrnoException | null | undefined) => {
      done(error ? { code: error.code, lines: linesIn(Buffer.from(text)), isTorn: true } : undefined);
    });
  };
}

/** Node's own stream of a file takes a write that stops half way, as on a full disk, for a whole one. */
function fileSink(fd: number): Sink {
  return (text, done) => {
    const bytes = Buffer.from(text);
    let written = 0;
    let code: string | undefined;
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written);
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code; // what node's file system throws
    }
    if (written === bytes.length) return done(undefined);
    done({
      code,
      lines: linesIn(bytes.subarray(written)),
      isTorn: written > 0 && bytes[written - 1] !== newline,
    });
  };
}

const newline = 0x0a;

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++;
  return lines;
}
