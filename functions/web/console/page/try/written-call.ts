import type { DescMethod, JsonValue } from '@bufbuild/protobuf';

/** A call to be written as a command. */
export interface WrittenCall {
  readonly method: DescMethod;
  readonly request: JsonValue;
  /** Where the server is, such as `http://127.0.0.1:50051`. */
  readonly endpoint: string;
  readonly metadata: readonly (readonly [name: string, value: string])[];
  readonly deadlineMs: number | undefined;
  /** Whether the call has a token. What it is nobody tells: commands read it from `key.txt`. */
  readonly hasToken: boolean;
}

/** The file from which commands read the token. */
export const tokenFile = 'key.txt';

/** The file with the certificate of who has signed the server's, as docs/settings.md makes it. */
export const authorityFile = 'cert.pem';

/** Whether the server is on this machine and speaks TLS: nobody's authority signs for it but its owner's own. */
export function hasOwnAuthority({ endpoint }: Pick<WrittenCall, 'endpoint'>): boolean {
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'https:' && /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}
