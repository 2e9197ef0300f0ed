import { type ApiKey, everything, isIssuerUrl, isLoopback } from '../rpc/index.ts';
import { parsed, type ReadScopes, readApiKeys } from './api-key-settings.ts';
import type { ServerConfig } from './server-settings.ts';
import type { Settings } from './settings.ts';

/** Who may call, as the settings say. Without keys, tokens and certificates everybody may. */
export interface AuthConfig {
  readonly keys: readonly ApiKey[];
  /** Whose tokens (JWT) are taken. */
  readonly tokens?: TokenConfig;
  /** The scopes of clients by the names of their certificates, and where those come from. */
  readonly certificates?: CertificateConfig;
  /** Whether everybody may ask which methods there are. */
  readonly isReflectionOpen: boolean;
}

/** The issuer of tokens. */
export interface TokenConfig {
  readonly issuer: string;
  readonly audience: string;
  /** Default: as the issuer's OpenID configuration says. */
  readonly jwksUrl?: string;
}

/** Clients that are known by certificates. */
export interface CertificateConfig {
  readonly clients: Readonly<Record<string, readonly string[]>>;
  /** Default: the certificates of the TLS connections. */
  readonly header?: 'alb';
}

/** A way to be known. */
export type AuthKind = 'keys' | 'jwt' | 'certificates';

/** The ways in which callers are known; none: everybody may call. */
export function authKinds({ keys, tokens, certificates }: AuthConfig): readonly AuthKind[] {
  const kinds: AuthKind[] = [];
  if (keys.length > 0) kinds.push('keys');
  if (tokens !== undefined) kinds.push('jwt');
  if (certificates !== undefined) kinds.push('certificates');
  return kinds;
}

/** Settings that each say who may call. */
const decisions = ['API_KEYS', 'API_KEYS_FILE', 'API_KEY', 'AUTH_ISSUER'] as const;
const certificateDecisions = ['TLS_CLIENT_CA_FILE', 'TLS_CLIENT_HEADERS'] as const;

/**
 * Reads AUTH, API_KEYS, API_KEYS_FILE, API_KEY, AUTH_ISSUER, AUTH_AUDIENCE, AUTH_JWKS_URL, TLS_CLIENTS,
 * TLS_CLIENT_HEADERS and OPEN_REFLECTION. Bad ones become problems of the settings, and so does a server that others
 * can reach without a decision who may call. No problem shows what was set.
 *
 * @param server where it listens, and behind what
 * @param scopeNames the scopes that the service has; `*` is one besides
 */
export function readAuthSettings(
  settings: Settings,
  server: Pick<ServerConfig, 'host' | 'trustedProxies'>,
  scopeNames: readonly string[],
  limits: { readonly maxApiKeys: number },
): AuthConfig {
  const known = new Set([...scopeNames, everything]);
  const readScopes: ReadScopes = (value) =>
    Array.isArray(value) && value.every((it) => known.has(it)) ? value : undefined;
  const scopesText = `a list of ${[...known].join(', ')}`;
  const keys = readApiKeys(settings, readScopes, scopesText, limits);
  const tokens = readTokens(settings);
  const certificates = readCertificates(settings, server.trustedProxies, readScopes, scopesText);
  const isOpen = checkDecision(settings, server);
  return { keys, tokens, certificates, isReflectionOpen: readReflection(settings, isOpen) };
}

/** Whether everybody may call. */
function checkDecision(
  settings: Settings,
  { host, trustedProxies }: Pick<ServerConfig, 'host' | 'trustedProxies'>,
): boolean {
  const auth = settings.text('AUTH');
  if (auth !== undefined && auth !== 'none') {
    settings.problem('AUTH must be none, for everybody to call, or not set');
  }
  const given = [...decisions, ...certificateDecisions].filter((name) => settings.text(name) !== undefined);
  if (auth === 'none' && given.length > 0) {
    settings.problem(`AUTH lets everybody call, but ${given.join(', ')} says who may: remove one of them`);
  }
  const isOfMachine = host.startsWith('unix:') || isLoopback(host);
  const reach = isOfMachine ? `TRUSTED_PROXIES (${trustedProxies})` : `HOST (${host})`;
  const isReached = trustedProxies > 0 || !isOfMachine;
  if (auth === undefined && given.length === 0 && isReached) {
    settings.problem(
      `${reach} lets others reach the server, and nothing says who may call: set API_KEYS (\`npx users key new\` makes one), ` +
        'AUTH_ISSUER and AUTH_AUDIENCE, or TLS_CLIENT_CA_FILE; or AUTH=none, for everybody to call',
    );
  }
  return given.length === 0;
}

function readReflection(settings: Settings, isOpen: boolean): boolean {
  if (settings.text('OPEN_REFLECTION') === undefined) return isOpen;
  const isReflectionOpen = settings.flag('OPEN_REFLECTION');
  if (isOpen && !isReflectionOpen) {
    settings.problem('OPEN_REFLECTION=0 needs callers that are known: everybody may call');
  }
  return isReflectionOpen;
}

function readTokens(settings: Settings): TokenConfig | undefined {
  const issuer = issuerUrl(settings, 'AUTH_ISSUER');
  const audience = settings.text('AUTH_AUDIENCE');
  const jwksUrl = issuerUrl(settings, 'AUTH_JWKS_URL');
  const isIssuerSet = settings.text('AUTH_ISSUER') !== undefined;
  if (isIssuerSet && audience === undefined) {
    settings.problem(
      'AUTH_ISSUER needs AUTH_AUDIENCE, which is not set: else tokens for other services would do',
    );
  }
  for (const name of ['AUTH_AUDIENCE', 'AUTH_JWKS_URL']) {
    if (!isIssuerSet && settings.text(name) !== undefined) {
      settings.problem(`${name} needs AUTH_ISSUER, which is not set`);
    }
  }
  return issuer === undefined || audience === undefined ? undefined : { issuer, audience, jwksUrl };
}

/** Keys that come in plain text could be anybody's. */
function issuerUrl(settings: Settings, name: string): string | undefined {
  const text = settings.text(name);
  if (text === undefined) return undefined;
  if (isIssuerUrl(text)) return text;
  settings.problem(`${name} must be an https URL without a password, or an http URL of this machine`);
  return undefined;
}

function readCertificates(
  settings: Settings,
  trustedProxies: number,
  readScopes: ReadScopes,
  scopesText: string,
): CertificateConfig | undefined {
  const isVerified = settings.text('TLS_CLIENT_CA_FILE') !== undefined;
  const isInHeader = settings.text('TLS_CLIENT_HEADERS') !== undefined;
  const clients = readClients(settings, readScopes, scopesText);
  if (isInHeader) {
    if (settings.text('TLS_CLIENT_HEADERS') !== 'alb') {
      settings.problem('TLS_CLIENT_HEADERS must be alb, or not set');
    }
    if (trustedProxies === 0) {
      settings.problem(
        'TLS_CLIENT_HEADERS needs TRUSTED_PROXIES of 1 or more: others could write the headers',
      );
    }
    if (isVerified) {
      settings.problem(
        'TLS_CLIENT_HEADERS and TLS_CLIENT_CA_FILE exclude each other: a load balancer has no certificate of a client',
      );
    }
  }
  if (!isVerified && !isInHeader) {
    if (clients !== undefined)
      settings.problem('TLS_CLIENTS needs TLS_CLIENT_CA_FILE or TLS_CLIENT_HEADERS, which are not set');
    return undefined;
  }
  // With keys or tokens the certificate is needed besides, unless TLS_CLIENTS says what it allows by itself.
  const isBesides = decisions.some((name) => settings.text(name) !== undefined);
  if (clients === undefined && isBesides) return undefined;
  const header = isInHeader ? 'alb' : undefined;
  return { clients: clients ?? { [everything]: [everything] }, header };
}

function readClients(
  settings: Settings,
  readScopes: ReadScopes,
  scopesText: string,
): CertificateConfig['clients'] | undefined {
  const text = settings.text('TLS_CLIENTS');
  if (text === undefined) return undefined;
  const rows = parsed(text);
  if (typeof rows !== 'object' || rows === null || Array.isArray(rows)) {
    settings.problem('TLS_CLIENTS must be an object in JSON, of scopes by name, such as {"*":["*"]}');
    return {};
  }
  const clients = new Map<string, readonly string[]>();
  for (const [index, [name, value]] of Object.entries(rows).entries()) {
    const scopes = readScopes(value);
    if (scopes === undefined) settings.problem(`TLS_CLIENTS, row ${index + 1}: it must be ${scopesText}`);
    else clients.set(name, scopes);
  }
  return Object.fromEntries(clients);
}
