import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createAuthority } from '../support/certificates.ts';
import { ServerProcess } from '../support/process.ts';

/**
 * Serves Users as a deployment does, for the time of a test: with a certificate of an authority of its own, and to
 * holders of its key alone. `outputs` is a file as `cdk deploy --outputs-file` writes it, of `stack`, whose key is in
 * `secret`.
 */
export async function serveDeployed(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'users-deployed-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(folder, name), text, { mode });
    return join(folder, name);
  };
  const { ca, issue } = await createAuthority();
  const { cert, key } = await issue({ dns: ['localhost'] });
  const token = 'k'.repeat(43);
  const server = new ServerProcess({
    settings: {
      TLS_CERT_FILE: file('cert.pem', cert),
      TLS_KEY_FILE: file('key.pem', key),
      USERS_DATA: join(folder, 'data'),
      API_KEY: token,
    },
  });
  t.after(() => server[Symbol.asyncDispose]());
  const { port } = await server.line('listening');
  const endpoint = `https://localhost:${port}`;
  const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-AbCdEf';
  const stack = { Endpoint: endpoint, Ca: ca, ApiKeySecret: secret };
  const outputs = file('outputs.json', JSON.stringify({ Users: stack }));
  return { server, folder, file, endpoint, ca, token, secret, stack, outputs };
}
