/**
 * Decodes base64 of either alphabet, with padding or without it (RFC 4648 sections 4 and 5). `undefined` for what is
 * none: node skips that, and the rest must not become another message.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const digits = text.endsWith('==') ? text.length - 2 : text.length - (text.endsWith('=') ? 1 : 0);
  // The last digits make up to two bytes; one of them alone makes none.
  if (digits % 4 === 1) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === Math.floor((digits * 3) / 4) ? bytes : undefined;
}
