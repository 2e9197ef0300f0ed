import type { JsonValue } from '@bufbuild/protobuf';
import { isObject, readJson } from './json-text.ts';
import { isMetadataName } from './metadata-name.ts';
import { isSecretMetadata, withoutSecrets } from './secret-name.ts';

/** The protocols that a browser can speak. */
export type Protocol = 'connect' | 'grpc-web';

/** What the form of a call says. */
export interface Filled {
  readonly request: JsonValue;
  readonly protocol: Protocol;
  /** As typed, such as `5s`; empty for the server's default. */
  readonly deadline: string;
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

/**
 * Writes the hash that restores a form, such as `#/try/Users/CreateUser?request=…`. It never has the token, nor
 * metadata or fields that may hold a secret; `left` names those.
 */
export function formatLink(path: string, filled: Filled): { hash: string; left: readonly string[] } {
  const request = withoutSecrets(filled.request);
  const open = filled.metadata.filter(([name]) => !isSecretMetadata(name));
  const secret = filled.metadata.filter(([name]) => isSecretMetadata(name));
  const query = new URLSearchParams({ request: JSON.stringify(request.json) });
  if (filled.protocol !== 'connect') query.set('protocol', filled.protocol);
  if (filled.deadline !== '') query.set('deadline', filled.deadline);
  for (const [name, value] of open) query.append('metadata', `${name}: ${value}`);
  return { hash: `#/try${path}?${query}`, left: [...request.left, ...secret.map(([name]) => name)] };
}

/** What a hash says. */
export interface Link {
  /** Such as `try`; empty without one. */
  readonly view: string;
  /** What comes after the view, such as `/Users/CreateUser`; empty without it. */
  readonly path: string;
  readonly filled: Partial<Filled>;
  /** Why what it fills in can't be read, if so. */
  readonly problem?: string;
}

/** Reads a hash. */
export function parseLink(hash: string): Link {
  const [route = '', search = ''] = splitOnce(hash.replace(/^#\/?/, ''), '?');
  const [view = '', path] = splitOnce(route, '/');
  const query = new URLSearchParams(search);
  const text = query.get('request');
  const request = text === null ? undefined : readJson(text);
  const isRead = request === undefined || isObject(request.json);
  const protocol = query.get('protocol');
  return {
    view,
    path: path === undefined ? '' : `/${path}`,
    ...(isRead
      ? {}
      : { problem: `The link’s request can’t be read: ${request.error ?? 'it is no object'}.` }),
    filled: {
      ...(isObject(request?.json) ? { request: request.json } : {}),
      ...(protocol === 'grpc-web' || protocol === 'connect' ? { protocol } : {}),
      deadline: query.get('deadline') ?? '',
      // Whoever has made the link may have written anything.
      metadata: query
        .getAll('metadata')
        .map((line): [string, string] => {
          const [name = '', value = ''] = splitOnce(line, ':');
          return [name.trim(), value.trim()];
        })
        .filter(([name]) => isMetadataName(name)),
    },
  };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
