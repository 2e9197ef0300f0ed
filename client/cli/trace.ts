import { ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect';
import { printable } from './report.ts';

/**
 * Names of metadata whose values are no secret, by what the protocols and common servers say of them. Names of secrets
 * are too many to know: x-api-key, x-pin, sid, dpop and so on. Bytes, the details of a status too, can be anything.
 */
const harmless = new RegExp(
  `^(?:${[
    // Of the protocols.
    'te|host|connection|keep-alive|transfer-encoding|trailer|upgrade',
    'content-(?:type|length|encoding|language)|accept(?:-encoding|-language|-post)?',
    'grpc-(?:status|message|timeout|encoding|accept-encoding|previous-rpc-attempts|retry-pushback-ms)',
    'connect-(?:protocol-version|timeout-ms|content-encoding|accept-encoding)|x-grpc-web',
    // Who speaks, and when.
    'user-agent|x-user-agent|server|via|date|age|vary|allow|alt-svc|retry-after|cache-control|origin',
    'access-control-(?:allow|expose|request)-[a-z]+|access-control-max-age|strict-transport-security',
    // Where from, and which.
    'ip|x-real-ip|forwarded|x-forwarded-(?:for|host|port|proto)',
    'x-request-id|x-correlation-id|traceparent|x-amzn-trace-id|x-b3-[a-z]+|x-envoy-upstream-service-time',
  ].join('|')})$`,
);

/**
 * Shows what every attempt of a call sends (`>`) and gets (`<`), messages apart.
 *
 * @param all show every value; else only those that are known to be harmless
 */
export function traceTo(out: NodeJS.WritableStream, all: boolean): Interceptor {
  const show = (mark: string, headers: Headers) => {
    for (const [key, value] of headers) {
      out.write(`${mark} ${key}: ${all || harmless.test(key) ? printable(value) : '[hidden]'}\n`);
    }
  };
  return (next) => async (request) => {
    out.write(`> ${request.requestMethod} ${request.url}\n`);
    show('>', request.header);
    try {
      const response = await next(request);
      show('<', response.header);
      if (response.stream) return { ...response, message: traced(response) };
      show('< trailer', response.trailer);
      return response;
    } catch (error) {
      // An error has headers and trailers in one.
      if (error instanceof ConnectError) show('<', error.metadata);
      throw error;
    }
  };

  async function* traced({ message, trailer }: StreamResponse) {
    yield* message;
    show('< trailer', trailer);
  }
}
