import { BlockList, isIP } from 'node:net';

/**
 * Whether keys may come from a URL: `https`, or `http` of this machine. Whoever could change them on their way could
 * make tokens.
 */
export function isIssuerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/**
 * Whether only this machine can reach a host, which may be in brackets as in a URL. Of names that is `localhost` alone:
 * all others, its subdomains too, may be asked of DNS, and be elsewhere.
 */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(address);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(address, version === 6 ? 'ipv6' : 'ipv4');
}
