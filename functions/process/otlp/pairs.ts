/**
 * Reads `name=value,name=value` with percent encoding, as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS are
 * (https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable).
 * `undefined` if it is not such a list.
 */
export function parsePairs(text: string): readonly [name: string, value: string][] | undefined {
  const pairs: [string, string][] = [];
  for (const pair of text.split(',').filter((it) => it.trim() !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) return undefined;
    try {
      pairs.push([
        decodeURIComponent(pair.slice(0, at).trim()),
        decodeURIComponent(pair.slice(at + 1).trim()),
      ]);
    } catch {
      return undefined;
    }
  }
  return pairs;
}

/** Whether a request can have such a header (RFC 9110 section 5). */
export function isHeader(name: string, value: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) && /^[\x20-\x7e]*$/.test(value);
}
