import type { Readable } from 'node:stream';
import type { LogOutput } from './log-output.ts';

const newline = 0x0a;
/** A line that gets longer than this is written in parts. */
const maxLineBytes = 1024 * 1024;

/**
 * Writes what a worker prints to the output of this process, whole lines at a time. (The kernel may put bytes of other
 * processes in the middle of a write to a pipe, if that is of more than 4 KiB: PIPE_BUF in
 * https://man7.org/linux/man-pages/man7/pipe.7.html.) While the output can't be written, nothing is read, and the
 * worker does what it does with a reader that is slow. When the reader is gone, the worker is told so in the same way.
 */
export function passLines(from: Readable, output: Pick<LogOutput, 'pass' | 'hasReader'>): void {
  /** The beginning of a line. */
  let rest: Buffer[] = [];
  let restBytes = 0;
  const take = (chunk: Buffer) => {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end === 0) {
      rest.push(chunk);
      restBytes += chunk.length;
      if (restBytes > maxLineBytes) passRest();
      return;
    }
    const lines = Buffer.concat([...rest, chunk.subarray(0, end)]);
    rest = end < chunk.length ? [chunk.subarray(end)] : [];
    restBytes = chunk.length - end;
    pass(lines.toString());
  };
  const pass = (lines: string) => {
    from.pause();
    output.pass(lines, () => {
      if (output.hasReader) from.resume();
      else from.destroy();
    });
  };
  const passRest = () => {
    const line = Buffer.concat(rest);
    rest = [];
    restBytes = 0;
    pass(`${line.toString()}\n`);
  };
  from.on('data', take);
  // A worker that was killed leaves half a line, which must not become the beginning of another's.
  from.on('end', () => {
    if (restBytes > 0) passRest();
  });
  // Nobody need be told: the worker's end is.
  from.on('error', () => {});
}
