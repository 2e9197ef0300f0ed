/** What `isOrigin` takes, in the words of a refusal. */
export const expectedOrigins = 'origins such as https://example.com';

/**
 * Whether a text names the pages of one origin, by scheme, host and port as a browser sends them and nothing else
 * (RFC 6454 section 6.2), or those of all, by `*`.
 */
export function isOrigin(text: string): boolean {
  const origin = URL.parse(text)?.origin;
  return text === '*' || (origin !== 'null' && origin === text);
}
