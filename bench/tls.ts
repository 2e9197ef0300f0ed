import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority } from '../test/support/certificates.ts';
import { tlsLoads } from './loads.ts';
import { type Effort, measure, type Row } from './measure.ts';
import { type Subject, tlsCandidates } from './subjects.ts';

/** The unary loads by which all are compared, over TLS, on ours and on Node's HTTP/2. */
export async function measureTls(effort: Effort): Promise<Row[]> {
  const subjects = await withTls(tlsCandidates, effort.folder);
  return measure(
    tlsLoads.map((load) => subjects.map((subject) => ({ subject, load }))),
    effort,
  );
}

/** Servers with one certificate, of P-256 as most are, which lies in a folder. */
async function withTls(servers: readonly Subject[], folder: string): Promise<Subject[]> {
  const { ca, issue } = await createAuthority();
  const { cert, key } = await issue({ ip: ['127.0.0.1'] });
  const files = { TLS_CERT_FILE: join(folder, 'cert.pem'), TLS_KEY_FILE: join(folder, 'key.pem') };
  writeFileSync(files.TLS_CERT_FILE, cert);
  writeFileSync(files.TLS_KEY_FILE, key);
  return servers.map((it) => ({ ...it, key: `${it.key} tls`, ca, env: { ...it.env, ...files } }));
}
