import type { X509Certificate } from 'node:crypto';

/** One of the alternative names of a certificate. */
interface AlternativeName {
  /** Such as `DNS`, `URI` or `IP Address`. */
  readonly type: string;
  readonly value: string;
}

/**
 * One name as Node writes it: the type, a colon, and the value. A value with a comma, a quote or anything else that
 * could pass for another name is a string of JSON (https://nodejs.org/api/crypto.html#x509subjectaltname,
 * CVE-2021-44532).
 */
const writtenName = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/** What begins so is a SPIFFE id, which only a URI may be. */
const spiffe = /^spiffe:\/\//i;

/** Visible characters of ASCII: other names could deceive who reads them. */
const visible = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * The name of whoever has a certificate: its first SPIFFE id, else its first DNS name, else its common name.
 *
 * @returns undefined if it has none, more than one common name, or one that is not visible ASCII: people could not tell
 *   it from others
 */
export function certificateName(certificate: X509Certificate): string | undefined {
  const names = alternativeNames(certificate.subjectAltName ?? '');
  if (names === undefined) return undefined;
  const id = names.find(({ type, value }) => type === 'URI' && spiffe.test(value))?.value;
  const name = id ?? names.find(({ type }) => type === 'DNS')?.value ?? commonName(certificate);
  if (name === undefined || !visible.test(name)) return undefined;
  // An authority that checks DNS names or common names need not check that one is no SPIFFE id.
  return id === undefined && spiffe.test(name) ? undefined : name;
}

/** The names that Node has written in one text; undefined if it can't be read. */
function alternativeNames(text: string): AlternativeName[] | undefined {
  const names: AlternativeName[] = [];
  writtenName.lastIndex = 0;
  for (let at = 0; at < text.length; at = writtenName.lastIndex) {
    const [, type = '', written = ''] = writtenName.exec(text) ?? [];
    const value = written.startsWith('"') ? parsed(written) : written;
    if (type === '' || value === undefined) return undefined;
    names.push({ type, value });
  }
  return names;
}

function parsed(json: string): string | undefined {
  try {
    return String(JSON.parse(json));
  } catch {
    return undefined;
  }
}

function commonName(certificate: X509Certificate): string | undefined {
  // As an object: in the text of `subject` a name could pass for two.
  const { CN } = certificate.toLegacyObject().subject;
  return typeof CN === 'string' ? CN : undefined;
}
