import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MissingTool, run } from '../conformance/tool.ts';
import { shownFile } from '../docs/one-machine-files.ts';
import type { Peer } from './peer.ts';
import { type Launch, type Places, Proxied } from './proxied.ts';
import { checkProxied } from './proxied-calls.ts';

/** nginx as docs/one-machine.md sets it up: grpc_pass for gRPC, HTTP/1.1 that is kept for everything else. */
export const nginx: Peer = {
  name: 'nginx in front',
  isLocal: true,
  async run(_target, check) {
    if ((await run('sh', ['-c', 'command -v nginx'])).code !== 0) {
      throw new MissingTool('nginx is missing (Debian: apt-get install nginx)');
    }
    await using proxied = await Proxied.start(start);
    await checkProxied(proxied, check);
  },
};

/** The page's file within what Debian has around it, but without a daemon and with folders of the test. */
function start({ folder, port, certFile, keyFile, sockets }: Places): Launch {
  const users = shownFile('/etc/nginx/conf.d/users.conf', {
    'listen 443 ': `listen 127.0.0.1:${port} `,
    '/etc/users/tls/fullchain.pem': certFile,
    '/etc/users/tls/privkey.pem': keyFile,
    '/run/users-1/users.sock': sockets[0],
    '/run/users-2/users.sock': sockets[1],
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const confFile = join(folder, 'nginx.conf');
  writeFileSync(
    confFile,
    `daemon off; master_process off; pid ${join(folder, 'nginx.pid')}; events {}
    http { access_log off; ${temporary.join(' ')} ${users} }`,
  );
  return { command: 'nginx', args: ['-c', confFile, '-e', 'stderr'] };
}
