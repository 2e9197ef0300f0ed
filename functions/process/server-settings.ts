import { type Http2EngineName, http2Engines } from '../rpc/index.ts';
import { type LogConfig, logFormats, logLevels } from './log.ts';
import { expectedOrigins, isOrigin } from './origin.ts';
import type { Settings } from './settings.ts';
import type { TlsFiles } from './tls-files.ts';
import { readWorkers } from './worker-settings.ts';

/** The settings of a server, whatever it serves. */
export interface ServerConfig {
  readonly host: string;
  /** Zero takes a free one. */
  readonly port: number;
  /** How many processes share the port. */
  readonly workers: number;
  /** Without it, connections are not encrypted. */
  readonly tls?: TlsFiles;
  /** Origins whose pages may call the service; `*` is every one. None: CORS is off. */
  readonly corsOrigins: readonly string[];
  /** How many proxies stand in front and add to `x-forwarded-for`. None: that header says nothing. */
  readonly trustedProxies: number;
  /** What they show, to prove that a request has come through them. Default: no proof is asked for. */
  readonly originProof?: string;
  /** The header in which who stands in front names each request. */
  readonly requestIdHeader: string;
  /** What speaks HTTP/2. */
  readonly http2Engine: Http2EngineName;
  readonly log: LogConfig;
}

/** Where a server listens by default. */
export const defaultAddress = { host: '127.0.0.1', port: 50051 };

const defaultRequestIdHeader = 'x-request-id';

/** No chain of proxies is that long. */
const maxTrustedProxies = 16;

/**
 * Reads HOST, PORT, WORKERS (1), LOG_LEVEL (info), LOG_FORMAT (json), CORS_ORIGINS, TRUSTED_PROXIES (0), ORIGIN_PROOF,
 * REQUEST_ID_HEADER (x-request-id), HTTP2_ENGINE (own), TLS_CERT_FILE, TLS_KEY_FILE
 * and TLS_CLIENT_CA_FILE. Bad ones become problems of the settings.
 *
 * @param checkTls returns what is wrong with the TLS files that are named, a line each. Default: nothing is checked
 */
export function readServerSettings(
  settings: Settings,
  checkTls: (files: Partial<TlsFiles>) => readonly string[] = () => [],
): ServerConfig {
  return {
    host: settings.host('HOST', defaultAddress.host),
    port: settings.port('PORT', defaultAddress.port),
    workers: readWorkers(settings),
    log: {
      level: settings.choice('LOG_LEVEL', logLevels, 'info'),
      format: settings.choice('LOG_FORMAT', logFormats, 'json'),
    },
    corsOrigins: settings.list('CORS_ORIGINS', isOrigin, expectedOrigins),
    ...readProxies(settings),
    requestIdHeader: readRequestIdHeader(settings),
    http2Engine: settings.choice('HTTP2_ENGINE', http2Engines, 'own'),
    tls: readTlsSettings(settings, checkTls),
  };
}

/**
 * ORIGIN_PROOF is for homes that the internet reaches beside the proxies in front, such as a Web Function beside
 * CloudFront: whoever goes past those could claim any address in `x-forwarded-for`. No problem shows what was set.
 */
function readProxies(settings: Settings): Pick<ServerConfig, 'trustedProxies' | 'originProof'> {
  const trustedProxies = settings.wholeNumber('TRUSTED_PROXIES', { from: 0, to: maxTrustedProxies }) ?? 0;
  const originProof = settings.text('ORIGIN_PROOF');
  // What it names is in ORIGIN_PROOF by now (`home.ts`).
  settings.text('ORIGIN_PROOF_SECRET');
  if (originProof !== undefined) {
    if (!/^[\x21-\x7e]{20,}$/.test(originProof)) {
      settings.problem('ORIGIN_PROOF must have at least 20 characters, of ASCII, without spaces');
    }
    if (trustedProxies === 0) {
      settings.problem('ORIGIN_PROOF needs TRUSTED_PROXIES of 1 or more: it is shown by who stands in front');
    }
  }
  return { trustedProxies, originProof };
}

function readRequestIdHeader(settings: Settings): string {
  const name = settings.text('REQUEST_ID_HEADER') ?? defaultRequestIdHeader;
  // A token (RFC 9110 section 5.6.2); Node has the names of headers in lower case.
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) settings.refuse('REQUEST_ID_HEADER', 'the name of a header');
  return name.toLowerCase();
}

function readTlsSettings(
  settings: Settings,
  checkTls: (files: Partial<TlsFiles>) => readonly string[],
): TlsFiles | undefined {
  const certFile = settings.text('TLS_CERT_FILE');
  const keyFile = settings.text('TLS_KEY_FILE');
  const clientCaFile = settings.text('TLS_CLIENT_CA_FILE');
  if (certFile && !keyFile) settings.problem('TLS_CERT_FILE needs TLS_KEY_FILE, which is not set');
  if (keyFile && !certFile) settings.problem('TLS_KEY_FILE needs TLS_CERT_FILE, which is not set');
  if (clientCaFile && !certFile) {
    settings.problem('TLS_CLIENT_CA_FILE needs TLS_CERT_FILE, which is not set');
  }
  settings.problem(...checkTls({ certFile, keyFile, clientCaFile }));
  return certFile && keyFile ? { certFile, keyFile, clientCaFile } : undefined;
}
