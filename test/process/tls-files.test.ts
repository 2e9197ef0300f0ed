// Proves that each TLS file that can't be used is told under the name of its setting, whatever is wrong with it, and
// that files that can be used are read.
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ConfigError } from '../../functions/process/settings.ts';
import { readTls, tlsProblems } from '../../functions/process/tls-files.ts';
import { readConfig } from '../../functions/users/config.ts';
import { createAuthority } from '../support/certificates.ts';

describe('the TLS files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-tls-'));
  const path = (name: string) => join(folder, name);
  const files = { certFile: path('cert.pem'), keyFile: path('key.pem'), clientCaFile: path('ca.pem') };

  before(async () => {
    const authority = await createAuthority();
    const { cert, key } = await authority.issue({ ip: ['127.0.0.1'] });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const texts = {
      'cert.pem': cert,
      'key.pem': key,
      'ca.pem': authority.ca,
      'other-key.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'secret-key.pem': privateKey.export({
        type: 'pkcs8',
        format: 'pem',
        cipher: 'aes-256-cbc',
        passphrase: 'horse',
      }),
      'chain.pem': `${cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      'text.pem': 'not PEM',
      'cert.der': new X509Certificate(cert).raw,
    };
    for (const [name, text] of Object.entries(texts)) writeFileSync(path(name), text);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are read', () => {
    assert.deepEqual(tlsProblems(files), []);
    const { cert, key, clientCa } = readTls(files);
    assert.match(cert, /CERTIFICATE/);
    assert.match(key, /PRIVATE KEY/);
    assert.match(clientCa ?? '', /CERTIFICATE/);
    assert.deepEqual(tlsProblems({}), []);
  });

  const bad: [keyof typeof files, string, RegExp][] = [
    ['certFile', 'nowhere.pem', /^TLS_CERT_FILE can't be read: ENOENT.*nowhere\.pem'$/],
    ['certFile', '', /^TLS_CERT_FILE can't be read: EISDIR/],
    ['certFile', 'text.pem', /^TLS_CERT_FILE \(.*text\.pem\) has no certificate in PEM$/],
    ['certFile', 'cert.der', /^TLS_CERT_FILE \(.*cert\.der\) has no certificate in PEM$/],
    ['certFile', 'chain.pem', /^TLS_CERT_FILE \(.*chain\.pem\) and its key can't be used: /],
    ['keyFile', 'nowhere.pem', /^TLS_KEY_FILE can't be read: ENOENT/],
    [
      'keyFile',
      'cert.pem',
      /^TLS_KEY_FILE \(.*cert\.pem\) has no private key in PEM, or one with a passphrase$/,
    ],
    [
      'keyFile',
      'secret-key.pem',
      /^TLS_KEY_FILE \(.*\) has no private key in PEM, or one with a passphrase$/,
    ],
    ['keyFile', 'other-key.pem', /^TLS_KEY_FILE \(.*\) is not the key of TLS_CERT_FILE \(.*cert\.pem\)$/],
    ['clientCaFile', 'nowhere.pem', /^TLS_CLIENT_CA_FILE can't be read: ENOENT/],
    ['clientCaFile', 'key.pem', /^TLS_CLIENT_CA_FILE \(.*key\.pem\) has no certificate in PEM$/],
  ];
  for (const [file, name, line] of bad) {
    it(`can't be used: ${file} ${name || 'is a folder'}`, () => {
      const [problem = '', ...others] = tlsProblems({ ...files, [file]: path(name) });
      assert.match(problem, line);
      assert.deepEqual(others, []);
    });
  }

  it("that can't be used are told at once, with the other settings", () => {
    const nowhere = path('nowhere.pem');
    const env = {
      TLS_CERT_FILE: nowhere,
      TLS_KEY_FILE: nowhere,
      TLS_CLIENT_CA_FILE: nowhere,
      LOG_LEVEL: 'foo',
    };
    assert.throws(
      () => readConfig(env, tlsProblems),
      (error) => {
        assert.ok(error instanceof ConfigError);
        const names = error.problems.map((problem) => problem.split(' ')[0]);
        assert.deepEqual(names, ['LOG_LEVEL', 'TLS_CERT_FILE', 'TLS_KEY_FILE', 'TLS_CLIENT_CA_FILE']);
        return true;
      },
    );
  });
});
