// The floor of a cold start: a server that loads node:http2 and answers, and nothing else. It is JavaScript, as bundles
// are: Node takes some 30 ms to begin with TypeScript.
import http2 from 'node:http2';

const server = http2.createServer();
server.on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.alloc(5));
});
server.listen(Number(process.env.PORT), '127.0.0.1');
