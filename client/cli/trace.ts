import { ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect';
import { printable } from './report.ts';

/** Shows what every attempt of a call sends (`>`) and gets (`<`), messages apart. */
export function traceTo(out: NodeJS.WritableStream): Interceptor {
  const show = (mark: string, headers: Headers) => {
    for (const [key, value] of headers)
      out.write(`${mark} ${key}: ${secret.test(key) ? '(hidden)' : printable(value)}\n`);
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

/** Names are many, such as x-api-key or x-amzn-oidc-data: rather too much is hidden. Bytes can be anything. */
const secret = /auth|cookie|token|secret|passw|api[-_]?key|jwt|session|signature|credential|oidc|-bin$/;
