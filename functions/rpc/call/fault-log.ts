import { ConnectError, type Interceptor } from '@connectrpc/connect';
import type { Log } from './access-log.ts';

/**
 * Logs exceptions that are not answers, for calls inside the process: connect turns them into "internal error"
 * and forgets the cause. (Calls from outside have the access log.)
 */
export function logFaults(log: Log): Interceptor {
  const report = (method: string, thrown: unknown): unknown => {
    const cause = thrown instanceof ConnectError ? thrown.cause : thrown;
    if (cause !== undefined) log.error({ method, err: cause }, 'a call inside the process failed');
    return thrown;
  };
  return (next) => async (request) => {
    const method = `/${request.service.typeName}/${request.method.name}`;
    try {
      const response = await next(request);
      if (!response.stream) return response;
      const { message } = response;
      const watched = async function* () {
        try {
          yield* message;
        } catch (thrown) {
          throw report(method, thrown);
        }
      };
      return { ...response, message: watched() };
    } catch (thrown) {
      throw report(method, thrown);
    }
  };
}
