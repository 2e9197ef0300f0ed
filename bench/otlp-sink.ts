import { once } from 'node:events';
import http from 'node:http';

/** Takes whatever is sent by OTLP on a free port of 127.0.0.1, and forgets it: what sends has its usual work. */
export async function openOtlpSink(): Promise<{ readonly url: string; close(): void }> {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
