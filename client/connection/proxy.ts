import http from 'node:http';
import https from 'node:https';
import net, { BlockList } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { noteFate } from './fate.ts';

/**
 * The proxy that the environment names for TLS connections to a host: `https_proxy`, unless `no_proxy` has the host,
 * its domain, or its network. Capitals count where there are no small letters, as with curl.
 *
 * @throws TypeError if it is not an http: or https: URL
 */
export function proxyFor(host: string, port: number, env: NodeJS.ProcessEnv): URL | undefined {
  const proxy = env.https_proxy || env.HTTPS_PROXY;
  if (!proxy || isExempt(host, port, env.no_proxy || env.NO_PROXY || '')) return undefined;
  const url = URL.parse(proxy);
  // It may hold a password.
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TypeError('https_proxy in the environment: write it as http://host:port');
  }
  return url;
}

function isExempt(host: string, port: number, list: string): boolean {
  return list.split(/[\s,]+/).some((entry) => {
    const [, name = entry, onlyPort] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (onlyPort !== undefined && Number(onlyPort) !== port) return false;
    if (name === '*') return true;
    const bare = name.replace(/^\[|\]$/g, '');
    if (net.isIP(host)) return isInNetwork(host, bare);
    const domain = bare.replace(/^\*?\./, '');
    return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
  });
}

/** The network is an address, with or without the number of its bits that count. */
function isInNetwork(host: string, network: string): boolean {
  const [base = '', bits] = network.split('/');
  const family = net.isIP(base) === 6 ? 'ipv6' : 'ipv4';
  const most = family === 'ipv6' ? 128 : 32;
  const prefix = bits === undefined ? most : Number(bits);
  if (!net.isIP(base) || !(prefix >= 0 && prefix <= most)) return false;
  const networks = new BlockList();
  networks.addSubnet(base, prefix, family);
  return networks.check(host, net.isIP(host) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Opens a way through a proxy, by CONNECT (RFC 9110 section 9.3.6).
 *
 * @param target host and port
 * @throws ConnectError UNAVAILABLE, noted as unsent
 */
export function openTunnel(
  proxy: URL,
  target: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const fail = (problem: string, cause?: unknown) => {
    const message = `no connection: the proxy ${proxy.host} ${problem}`;
    const error = new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
    noteFate(error, 'unsent');
    reject(error);
  };
  const { hostname, port, protocol, username, password } = proxy;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const request = (protocol === 'https:' ? https : http).request({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port || undefined,
    method: 'CONNECT',
    path: target,
    agent: false,
    signal,
    headers: {
      host: target,
      connection: 'keep-alive',
      ...(credentials === ':'
        ? {}
        : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
    },
  });
  const timer = setTimeout(() => {
    request.destroy(new Error(`did not answer within ${timeoutMs} ms`));
  }, timeoutMs);
  request.on('connect', (response, socket, head) => {
    if (response.statusCode === 200) {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    } else {
      socket.destroy();
      fail(`answers ${response.statusCode} to CONNECT ${target}`);
    }
  });
  request.on('error', (error) => fail(`can not be used: ${error.message}`, error));
  request.on('close', () => clearTimeout(timer));
  request.end();
  return promise.finally(() => clearTimeout(timer));
}
