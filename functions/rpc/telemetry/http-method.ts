/** What stands for names that nobody has foreseen: the convention's own word. */
export const other = '_OTHER';

/** The methods that HTTP has. Source: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ */
const httpMethods: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
]);

/** The method of a request as metrics and traces have it: `_OTHER` for one that HTTP has not, which may be anything. */
export function knownHttpMethod(method: string | undefined): string {
  return method !== undefined && httpMethods.has(method) ? method : other;
}
