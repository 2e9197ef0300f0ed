import { hash } from 'node:crypto';
import { createContextKey, type HandlerContext } from '@connectrpc/connect';

/** Who calls, as a credential tells. */
export interface Caller {
  /**
   * How it is known: by an API key, a token (JWT) about somebody, a token about no one but the client that it was
   * issued to, or a certificate.
   */
  readonly kind: 'key' | 'token' | 'client' | 'certificate';
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

/** Of the digest that stands for what is cut off. */
const digestCharacters = 22;

/** Makes a caller. A name that is too long, or is no text, is cut and ends in a digest: no two callers have one id. */
export function callerOfKind(kind: Caller['kind'], name: string, scopes: Iterable<string>): Caller {
  const short = shortName(name);
  return { kind, name: short, id: `${kind}:${short}`, scopes: new Set(scopes) };
}

function shortName(name: string): string {
  // Only names with a digest are as long as that: none that is given can be equal to one.
  if (name.length < maxNameCharacters && name.isWellFormed()) return name;
  const digest = hash('sha256', JSON.stringify(name), 'base64url').slice(0, digestCharacters);
  const begin = name.slice(0, maxNameCharacters - digestCharacters - 1).toWellFormed();
  return `${begin.padEnd(maxNameCharacters - digestCharacters - 1, '~')}~${digest}`;
}

/** Where a call keeps its caller. */
export const callerKey = createContextKey<Caller | undefined>(undefined, { description: 'who calls' });

/** Who makes a call; `undefined` where nobody has to say who he is. For handlers and interceptors. */
export function callerOf(context: Pick<HandlerContext, 'values'>): Caller | undefined {
  return context.values.get(callerKey);
}
