import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../support/certificates.ts';
import { ServerProcess } from '../support/process.ts';
import type { PeerTarget } from './peer.ts';

/**
 * Starts a server with TLS, of an authority of its own, on a free port and with users in memory. Disposal ends it as a
 * deployment does, with SIGTERM, and fails if it does not end well.
 *
 * @param settings further ones
 */
export async function startSecured(settings: NodeJS.ProcessEnv = {}): Promise<PeerTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'users-peers-'));
  const authority = await createAuthority();
  const { cert, key } = await authority.issue({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const caFile = file('ca.pem', authority.ca);
  const server = new ServerProcess({
    settings: {
      USERS_STORE: 'memory',
      TLS_CERT_FILE: file('cert.pem', cert),
      TLS_KEY_FILE: file('key.pem', key),
      ...settings,
    },
  });
  const endpoint = await server.url();
  return {
    endpoint,
    host: '127.0.0.1',
    port: Number(new URL(endpoint).port),
    ca: authority.ca,
    caFile,
    async [Symbol.asyncDispose]() {
      try {
        await server.stop();
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}
