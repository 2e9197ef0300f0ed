import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../support/certificates.ts';
import { ServerProcess } from '../support/process.ts';
import type { PeerTarget } from './peer.ts';

/**
 * Starts a server on a free port with users in memory. Disposal ends it as a deployment does, with SIGTERM, and fails
 * if it does not end well.
 *
 * @param isSecure with TLS, of an authority of its own
 * @param settings further ones
 */
export async function startServer(isSecure: boolean, settings: NodeJS.ProcessEnv = {}): Promise<PeerTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'users-peers-'));
  const tls = isSecure ? await writeTlsFiles(folder) : undefined;
  const server = new ServerProcess({
    settings: {
      USERS_STORE: 'memory',
      TLS_CERT_FILE: tls?.certFile,
      TLS_KEY_FILE: tls?.keyFile,
      ...settings,
    },
  });
  const endpoint = await server.url();
  return {
    endpoint,
    host: '127.0.0.1',
    port: Number(new URL(endpoint).port),
    ca: tls?.ca,
    caFile: tls?.caFile,
    async [Symbol.asyncDispose]() {
      try {
        await server.stop();
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

/** Makes an authority and a certificate of it for this machine, and writes them and the key to files of the folder. */
export async function writeTlsFiles(folder: string) {
  const authority = await createAuthority();
  const { cert, key } = await authority.issue({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    ca: authority.ca,
    caFile: file('ca.pem', authority.ca),
    certFile: file('cert.pem', cert),
    keyFile: file('key.pem', key),
  };
}
