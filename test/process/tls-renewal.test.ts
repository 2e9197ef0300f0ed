// Proves that a server process takes a renewed certificate at SIGHUP, keeps the old one while the files do not belong
// together, says so in the log, and that SIGHUP ends no server, with TLS or without.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import tls from 'node:tls';
import { createAuthority } from '../support/certificates.ts';
import { runMain } from '../support/process.ts';

it('takes a renewed certificate at SIGHUP', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-renewal-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const authority = await createAuthority();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const write = ({ cert, key }: { cert: string; key: string }) => {
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
  };
  const [first, second] = [
    await authority.issue({ ip: ['127.0.0.1'] }),
    await authority.issue({ ip: ['127.0.0.1'] }),
  ];
  write(first);
  const main = runMain(t, { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
  const { port } = await main.line('listening');
  const shown = async () => {
    const socket = tls.connect({ port: Number(port), host: '127.0.0.1', ca: authority.ca });
    await once(socket, 'secureConnect');
    const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
    socket.destroy();
    return fingerprint;
  };
  const fingerprintOf = ({ cert }: { cert: string }) => new X509Certificate(cert).fingerprint256;
  assert.equal(await shown(), fingerprintOf(first));

  writeFileSync(certFile, second.cert);
  main.child.kill('SIGHUP');
  const { problems } = await main.line('the TLS files can not be used: the old ones stay');
  assert.match(String(problems), /TLS_KEY_FILE .* is not the key of TLS_CERT_FILE/);
  assert.equal(await shown(), fingerprintOf(first));

  write(second);
  main.child.kill('SIGHUP');
  await main.line('the TLS files were read again');
  assert.equal(await shown(), fingerprintOf(second));
  await main.stop();
});

it('goes on at SIGHUP without TLS', async (t) => {
  const main = runMain(t);
  const url = await main.url();
  main.child.kill('SIGHUP');
  assert.equal((await fetch(`${url}/healthz`, { headers: { connection: 'close' } })).status, 200);
  await main.stop();
});
