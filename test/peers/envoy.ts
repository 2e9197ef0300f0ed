import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyProgram } from '../conformance/tool.ts';
import { shownFile } from '../docs/one-machine-files.ts';
import type { Peer } from './peer.ts';
import { type Launch, type Places, Proxied } from './proxied.ts';
import { checkProxied } from './proxied-calls.ts';

/** Envoy as docs/one-machine.md sets it up: HTTP/2 to the servers, whose health it asks by gRPC. */
export const envoy: Peer = {
  name: 'Envoy in front',
  isLocal: true,
  async run(_target, check) {
    const program = await envoyProgram();
    // So long a server says that it drains before it refuses connections, as the page tells.
    await using proxied = await Proxied.start((places) => start(program, places), { DRAIN_DELAY_MS: '3000' });
    await checkProxied(proxied, check);
  },
};

function start(command: string, { folder, port, certFile, keyFile, sockets }: Places): Launch {
  const certificate = join(folder, 'certificate.yaml');
  writeFileSync(
    certificate,
    shownFile('/etc/envoy/certificate.yaml', {
      '/etc/users/tls/fullchain.pem': certFile,
      '/etc/users/tls/privkey.pem': keyFile,
      '/etc/users/tls }': `${folder} }`,
    }),
  );
  const config = join(folder, 'envoy.yaml');
  writeFileSync(
    config,
    shownFile('/etc/envoy/envoy.yaml', {
      'port_value: 9901': 'port_value: 0',
      'address: 0.0.0.0, port_value: 443': `address: 127.0.0.1, port_value: ${port}`,
      '/etc/envoy/certificate.yaml': certificate,
      '/run/users-1/users.sock': sockets[0],
      '/run/users-2/users.sock': sockets[1],
    }),
  );
  // Two on one machine would share what base id 0 names.
  return {
    command,
    args: ['-c', config, '--use-dynamic-base-id', '--log-level', 'warning', '--concurrency', '1'],
  };
}
