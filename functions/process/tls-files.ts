import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** PEM files. With `clientCaFile`, only clients with a certificate of that authority are served. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string;
}

/** Reads the PEM files. */
export function readTls({ certFile, keyFile, clientCaFile }: TlsFiles) {
  return {
    cert: readFileSync(certFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
    clientCa: clientCaFile === undefined ? undefined : readFileSync(clientCaFile, 'utf8'),
  };
}

/**
 * Returns one line per unusable TLS file, named by its setting. OpenSSL itself does not say which file it means, and
 * takes an authority without a certificate for none.
 */
export function tlsProblems({ certFile, keyFile, clientCaFile }: Partial<TlsFiles>): string[] {
  const problems: string[] = [];
  function check<T>(setting: string, problem: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const isOfFile = error instanceof Error && 'syscall' in error;
      problems.push(isOfFile ? `${setting} can't be read: ${error.message}` : `${setting} ${problem}`);
      return undefined;
    }
  }
  // As text: X509Certificate takes DER too, which a server does not.
  const certificate = (file: string) => new X509Certificate(readFileSync(file, 'utf8'));
  const noCertificate = (file: string) => `(${file}) has no certificate in PEM`;

  const cert = certFile && check('TLS_CERT_FILE', noCertificate(certFile), () => certificate(certFile));
  const key =
    keyFile &&
    check('TLS_KEY_FILE', `(${keyFile}) has no private key in PEM, or one with a passphrase`, () =>
      createPrivateKey(readFileSync(keyFile, 'utf8')),
    );
  if (clientCaFile) check('TLS_CLIENT_CA_FILE', noCertificate(clientCaFile), () => certificate(clientCaFile));
  if (!cert || !key) return problems;
  if (!cert.checkPrivateKey(key)) {
    return [...problems, `TLS_KEY_FILE (${keyFile}) is not the key of TLS_CERT_FILE (${certFile})`];
  }
  // OpenSSL may refuse more, such as a weak key or a broken chain.
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push(`TLS_CERT_FILE (${certFile}) and its key can't be used: ${reason}`);
  }
  return problems;
}
