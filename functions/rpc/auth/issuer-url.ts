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

/** Of IPv6, where one address has many spellings. Made at the first one: its code is not loaded by Node's own start. */
let loopback: BlockList | undefined;

/**
 * Whether only this machine can reach a host, which may be in brackets as in a URL. Of names that is `localhost` alone:
 * all others, its subdomains too, may be asked of DNS, and be elsewhere.
 */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(address);
  if (version === 0) return host.toLowerCase() === 'localhost';
  if (version === 4) return address.startsWith('127.');
  if (loopback === undefined) {
    loopback = new BlockList();
    loopback.addAddress('::1', 'ipv6');
    loopback.addSubnet('127.0.0.0', 8); // as in ::ffff:127.0.0.1
  }
  return loopback.check(address, 'ipv6');
}
