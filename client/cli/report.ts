import { once } from 'node:events';
import { Code } from '@connectrpc/connect';
import { type CallError, codeName } from '../call/call-error.ts';
import { fateOf } from '../connection/fate.ts';
import { handshakeFailure } from '../connection/handshake.ts';
import type { Protocol } from '../transport/transport.ts';

/**
 * Prints a line, and waits while the reader is slow. A reader that has gone, as `head` does when it has enough, ends
 * the command without a word.
 */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${printable(line)}\n`)) await once(process.stdout, 'drain');
}

/**
 * What the other side says must not steer the terminal, begin a line of its own, or turn the direction of its text
 * (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing). Each UTF-16 unit is escaped by itself, as in
 * JSON, which stays JSON.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (it) =>
    it
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

/** What a person can do about a failed call. */
export interface Advice {
  readonly endpoint: string;
  readonly protocol: Protocol;
  /** What the call should have changed, if it was begun. */
  readonly change?: Change;
}

/** What a call changes. */
export interface Change {
  /** What may have happened to the user if nobody answers: `created`, `changed`, `removed`. */
  readonly done: string;
  /** Makes the call safe to repeat. Without it, the call is safe as it is. */
  readonly requestId?: string;
}

/** Says on stderr what happened and what to do, or as JSON what a program wants to know. */
export function printError(error: CallError, advice: Advice, json: boolean): void {
  const { code, rawMessage, requestId } = error;
  if (json) {
    console.error(printable(JSON.stringify({ error })));
    return;
  }
  console.error(printable(`${codeName(code)}: ${rawMessage}`));
  for (const line of advise(error, advice)) console.error(`  ${line}`);
  if (requestId !== undefined && code === Code.Internal) {
    console.error(printable(`  Its request id is ${requestId}.`));
  }
}

function advise(error: CallError, advice: Advice): string[] {
  const { endpoint, change } = advice;
  const lines: string[] = [];
  switch (error.code) {
    case Code.DeadlineExceeded:
      lines.push('Give the call more time with --timeout.');
      break;
    case Code.Unavailable:
      lines.push(...adviseUnavailable(error, advice));
      break;
    case Code.Unauthenticated:
      lines.push(...adviseUnauthenticated(error));
      break;
    case Code.PermissionDenied:
      lines.push(advisePermissionDenied(error));
      break;
    case Code.AlreadyExists:
      if (error.reason === 'USERNAME_TAKEN' || error.reason === 'EMAIL_TAKEN') {
        const what = error.reason === 'EMAIL_TAKEN' ? 'An address' : 'A name';
        lines.push(`${what} also stays taken for a while after its user was removed.`);
      }
      break;
    case Code.Aborted:
      if (error.reason === 'ETAG_OUTDATED') {
        lines.push('See with users account what there is now, decide again, and give its etag.');
      }
      break;
    case Code.ResourceExhausted:
      if (error.retryAfterMs !== undefined) {
        lines.push(`Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`);
      }
      break;
    case Code.Unimplemented:
      lines.push(`What answers at ${endpoint} does not have this method: is it a Users service?`);
      break;
  }
  const unknownOutcome = [
    Code.DeadlineExceeded,
    Code.Unavailable,
    Code.Canceled,
    Code.Internal,
    Code.Unknown,
  ];
  if (change !== undefined && !error.neverSent && unknownOutcome.includes(error.code)) {
    const how = change.requestId === undefined ? '.' : ', with';
    lines.push(`The user may have been ${change.done}. The same command finds out, or tries again${how}`);
    if (change.requestId !== undefined) lines.push(`  --request-id ${change.requestId}`);
  }
  return lines;
}

/** The password of a user is not the caller's own credential: a wrong one has a reason of its own. */
function adviseUnauthenticated({ reason }: CallError): string[] {
  switch (reason) {
    case 'WRONG_PASSWORD':
      return [];
    case 'BAD_CREDENTIALS':
    case 'EXPIRED_CREDENTIALS':
      return [
        'The token from USERS_TOKEN or --token-file was refused: ask who operates the service for a key, or its issuer for a token.',
      ];
    default:
      return ['Put a key or token into the environment as USERS_TOKEN, or into a file for --token-file.'];
  }
}

/** A missing scope, unless the server refuses the name that was called, whatever the caller may do. */
function advisePermissionDenied({ reason }: CallError): string {
  switch (reason) {
    case 'BESIDE_PROXY':
      return 'Call the name of that proxy, such as a CloudFront distribution, with --endpoint.';
    case 'FOREIGN_HOST':
      return "Call it as localhost, by its IP address or by the machine's own name, with --endpoint.";
    default:
      return 'Ask who operates the service for a key or token with the scope that is named.';
  }
}

function adviseUnavailable(error: CallError, { endpoint, protocol }: Advice): string[] {
  if (fateOf(error) === 'not HTTP/2') {
    return [`${protocol === 'grpc' ? '--protocol grpc-web --http1' : '--http1'} does without HTTP/2.`];
  }
  switch (handshakeFailure(error)?.about) {
    // Its message says all.
    case 'endpoint':
      return [];
    case 'client certificate':
      return ['Show a certificate that the server trusts with --cert and --key.'];
    case 'server certificate':
      return ['Name the authority to trust with --ca, and the name in the certificate with --server-name.'];
    case undefined:
      return error.isWireError
        ? ['The server is there but can not answer now: try again later.']
        : [`Is a Users service running at ${endpoint}? --wait 10s waits for it.`];
  }
}
