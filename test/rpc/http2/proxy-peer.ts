import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { frame } from '../../support/frames.ts';
import { callHeaders, http2Frame } from '../../support/http2-bytes.ts';
import { eventually } from '../../support/patience.ts';
import { RawHttp2, uint32 } from '../../support/raw-http2.ts';

const { NGHTTP2_CANCEL: cancel } = http2.constants;
const unary = '/test.echo.v1.Echo/Unary';
const empty = frame(Buffer.alloc(0));

/** A proxy's connection, by which calls of all its clients come. */
export class ProxyPeer extends RawHttp2 {
  #nextStream = 1;

  /** The headers of a new request, on a stream of its own. */
  begin(client: string, { path = unary, more = {} } = {}): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const headers = callHeaders(path, { ...more, 'x-forwarded-for': client });
    this.send(http2Frame(1, 4, stream, headers));
    return stream;
  }

  /** A message of a request. */
  message(stream: number, isLast: boolean, bytes = empty): void {
    this.send(http2Frame(0, isLast ? 1 : 0, stream, bytes));
  }

  reset(stream: number): void {
    this.send(http2Frame(3, 0, stream, uint32(cancel)));
  }

  /** Begins calls of a client and resets them, as many at a time as clients of a connection may have. */
  async resetCalls(client: string, count: number): Promise<void> {
    for (let done = 0; done < count && !this.isClosed; ) {
      for (const end = Math.min(count, done + 200); done < end; done++) this.reset(this.begin(client));
      await this.settle();
    }
  }

  /** Makes a whole call. Returns whether it was answered with a message, rather than refused. */
  async isAnswered(client: string, path = unary): Promise<boolean> {
    const stream = this.begin(client, { path });
    this.message(stream, true);
    assert.ok(await eventually(() => this.isOver(stream) || this.isClosed), 'the call is open');
    assert.equal(this.resetCode(stream), undefined);
    assert.equal(this.goawayCode, undefined, 'the connection ends');
    return this.of(0, stream).length > 0;
  }
}
