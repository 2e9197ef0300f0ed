import { hash, X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { type RpcLimits, rpcLimits } from '../limits.ts';
import type { Way } from './auth-gate.ts';
import { type Caller, callerOfKind } from './caller.ts';
import { certificateName } from './certificate-name.ts';

/** How clients are known by their certificates. */
export interface CertificateOptions {
  /**
   * The scopes of clients, by the names of their certificates (`certificateName`); those of `*` are for clients without
   * a row. Whoever has neither is known, but may do nothing that needs a scope.
   */
  readonly clients: Readonly<Record<string, readonly string[]>>;
  /**
   * `alb`: the certificate is in the header that an Application Load Balancer sets whose listener verifies clients.
   * Nobody must reach the server but by that listener: all others could write the header themselves. Default: the
   * certificate of the TLS connection.
   */
  readonly header?: 'alb' | undefined;
  /** Default: that of `limits.ts`. */
  readonly limits?: Pick<RpcLimits, 'maxRememberedCertificates'>;
}

/** Knows callers by the certificate that their authority vouches for. Each is looked at once, not with every call. */
export function certificateWay({ clients, header, limits = rpcLimits }: CertificateOptions): Way {
  const rows = new Map(Object.entries(clients));
  const callerOf = (certificate: X509Certificate | undefined): Caller | undefined => {
    const name = certificate && certificateName(certificate);
    if (name === undefined) return undefined;
    return callerOfKind('certificate', name, rows.get(name) ?? rows.get('*') ?? []);
  };
  return header === 'alb' ? ofHeader(callerOf, limits.maxRememberedCertificates) : ofConnection(callerOf);
}

type CallerOf = (certificate: X509Certificate | undefined) => Caller | undefined;

function ofConnection(callerOf: CallerOf): Way {
  const callers = new WeakMap<TLSSocket, { readonly caller: Caller | undefined }>();
  return {
    identify({ tls }) {
      if (tls === undefined || !tls.authorized) return undefined;
      let known = callers.get(tls);
      if (known === undefined) {
        known = { caller: callerOf(tls.getPeerX509Certificate()) };
        callers.set(tls, known);
      }
      return known.caller;
    },
  };
}

function ofHeader(callerOf: CallerOf, maxRemembered: number): Way {
  const callers = new Map<string, Caller | undefined>();
  return {
    identify({ headers }) {
      const text = leafOf(headers);
      if (text === undefined) return undefined;
      const key = hash('sha256', text, 'base64');
      if (callers.has(key)) return callers.get(key);
      const caller = callerOf(certificateOf(text));
      // The oldest goes: what is asked for often is soon there again.
      const [oldest] = callers.keys();
      if (oldest !== undefined && callers.size >= maxRemembered) callers.delete(oldest);
      callers.set(key, caller);
      return caller;
    },
  };
}

/**
 * The client's certificate, as PEM with percent-encoding but for `+`, `=` and `/`
 * (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html).
 */
const leafHeader = 'x-amzn-mtls-clientcert-leaf';
/** Longer ones are none: ALB passes at most 16 KiB in one header. */
const maxLeafCharacters = 16 * 1024;
/** One certificate and nothing else: of two, a client may have added the first. */
const onePem = /^-----BEGIN CERTIFICATE-----[A-Za-z\d+/=\s]+-----END CERTIFICATE-----\s*$/;

function leafOf(headers: IncomingHttpHeaders): string | undefined {
  const text = headers[leafHeader];
  return typeof text === 'string' && text.length <= maxLeafCharacters ? text : undefined;
}

function certificateOf(text: string): X509Certificate | undefined {
  try {
    const pem = decodeURIComponent(text);
    return onePem.test(pem) ? new X509Certificate(pem) : undefined;
  } catch {
    return undefined;
  }
}
