import { createPrivateKey, X509Certificate } from 'node:crypto';
import tls from 'node:tls';

/** What the client trusts, and who it says it is. Each is PEM, as text or bytes. */
export interface TlsOptions {
  /** The only authority to trust, instead of those that Node knows. */
  readonly ca?: string | Buffer;
  /** The client's certificate, for servers that ask for one, and its key: both or none. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** One of the TLS options can't be meant. */
export class TlsOptionError extends TypeError {
  override readonly name = 'TlsOptionError';
  readonly option: keyof TlsOptions;
  /** What is wrong with it, to be read after its name. */
  readonly problem: string;

  constructor(option: keyof TlsOptions, problem: string, cause?: unknown) {
    super(`tls.${option} ${problem}`, { cause });
    this.option = option;
    this.problem = problem;
  }
}

/**
 * The options as Node wants them, read and checked: by itself it takes an authority without a certificate for none, and
 * says of the others what OpenSSL says. Undefined for endpoints without TLS.
 *
 * @throws TlsOptionError
 */
export function secureContext(secure: boolean, { ca, cert, key }: TlsOptions): tls.SecureContext | undefined {
  if (!secure) {
    for (const [option, value] of [
      ['ca', ca],
      ['cert', cert],
      ['key', key],
    ] as const) {
      if (value !== undefined) throw new TlsOptionError(option, 'is for https:// endpoints only');
    }
    return undefined;
  }
  if (ca !== undefined) check('ca', 'has no certificate in PEM', () => new X509Certificate(ca));
  if (cert === undefined && key === undefined) return tls.createSecureContext({ ca });
  if (cert === undefined) throw new TlsOptionError('cert', 'is missing: the key of a client needs it');
  if (key === undefined) throw new TlsOptionError('key', 'is missing: the certificate of a client needs it');
  check('cert', 'has no certificate in PEM', () => new X509Certificate(cert));
  check('key', 'has no private key in PEM, or one with a passphrase', () => createPrivateKey(key));
  return check('key', 'is not the key of the certificate', () => tls.createSecureContext({ ca, cert, key }));
}

function check<T>(option: keyof TlsOptions, problem: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new TlsOptionError(option, problem, cause);
  }
}
