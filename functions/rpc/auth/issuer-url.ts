/**
 * Whether keys may come from a URL: `https`, or `http` of this machine. Whoever could change them on their way could
 * make tokens.
 */
export function isIssuerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** URLs have addresses of IPv4 in one form. Subdomains of `localhost` may be asked of DNS, and be elsewhere. */
function isLoopback(host: string): boolean {
  return /^127(\.\d+){3}$/.test(host) || host === '[::1]' || host === 'localhost';
}
