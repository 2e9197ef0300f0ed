// Proves that an answer is read to its end though all of it has come at once, before anybody asks for its first chunk:
// Node's own iterator takes that for an abortion. The connection is one whose bytes JavaScript hands on, joined, so
// that Node reads a whole answer in one turn, which TLS does now and then.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { Duplex } from 'node:stream';
import { it, type TestContext } from 'node:test';
import { readEarly } from '../../client/connection/early-reading.ts';

const body = Buffer.from('an answer');

/** A session with a server; what that writes comes in one piece, as soon as it has written the end of its answer. */
function connect(t: TestContext, answer: Buffer) {
  const held: Buffer[] = [];
  const near: Duplex = new Duplex({
    read() {},
    write(chunk, _, done) {
      far.push(chunk);
      done();
    },
  });
  const far: Duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      held.push(chunk);
      done();
    },
  });
  const hand = () => near.push(Buffer.concat(held.splice(0)));
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.resume();
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('close', () => setImmediate(hand));
    stream.end(answer);
  });
  server.emit('connection', far);
  const session = http2.connect('http://localhost', { createConnection: () => near });
  setImmediate(hand);
  t.after(() => {
    session.destroy();
    far.destroy();
    server.close();
  });
  return session;
}

for (const answer of [body, Buffer.alloc(0)]) {
  it(`${answer.length} bytes are read to their end`, async (t) => {
    const session = connect(t, answer);
    for (let round = 0; round < 5; round++) {
      const stream = session.request({ ':method': 'POST', ':path': '/' });
      readEarly(stream);
      stream.end();
      await once(stream, 'response');
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      assert.deepEqual(Buffer.concat(chunks), answer);
    }
  });
}
