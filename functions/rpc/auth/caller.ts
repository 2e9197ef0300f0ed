import { createContextKey, type HandlerContext } from '@connectrpc/connect';

/** Who calls, as a credential tells. */
export interface Caller {
  /** How it is known: by an API key, a token (JWT), or the certificate of its TLS connection. */
  readonly kind: 'key' | 'token' | 'certificate';
  /** The name that the credential gives, at most `maxNameCharacters` long. */
  readonly name: string;
  /** Kind and name, such as `key:billing`: as the log shows it, and by which shares are counted. */
  readonly id: string;
  /** What it may do. `*` stands for everything. */
  readonly scopes: ReadonlySet<string>;
}

/** Longer names say nothing to people; the log would show them with every call. */
export const maxNameCharacters = 128;
/** The scope of whoever may do everything. */
export const everything = '*';

/** Makes a caller; the name is cut to `maxNameCharacters`. */
export function callerOfKind(kind: Caller['kind'], name: string, scopes: Iterable<string>): Caller {
  const short = name.slice(0, maxNameCharacters).toWellFormed();
  return { kind, name: short, id: `${kind}:${short}`, scopes: new Set(scopes) };
}

/** Where a call keeps its caller. */
export const callerKey = createContextKey<Caller | undefined>(undefined, { description: 'who calls' });

/** Who makes a call; `undefined` where nobody has to say who he is. For handlers and interceptors. */
export function callerOf(context: Pick<HandlerContext, 'values'>): Caller | undefined {
  return context.values.get(callerKey);
}
