import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../command.ts';

/** Makes a certificate for a name that has signed itself: clients trust it as its own authority. PEM. */
export async function selfSigned(name: string): Promise<{ readonly cert: string; readonly key: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'web-function-tls-'));
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  try {
    // A common name has 64 characters at most, so clients go by the other one, as they do anyway.
    const names = ['-subj', '/CN=endpoint', '-addext', `subjectAltName=DNS:${name}`];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const out = ['-keyout', keyFile, '-out', certFile];
    await run('openssl', ['req', '-x509', '-days', '2', ...curve, ...names, ...out]);
    const [cert, key] = await Promise.all([certFile, keyFile].map((it) => readFile(it, 'utf8')));
    return { cert: cert ?? '', key: key ?? '' };
  } finally {
    await rm(folder, { recursive: true });
  }
}
