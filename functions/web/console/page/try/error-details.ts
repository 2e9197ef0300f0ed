import { fromBinary, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { base64Encode } from '@bufbuild/protobuf/wire';
import type { ConnectError } from '@connectrpc/connect';
import type { Catalog } from '../catalog.ts';
import { isObject } from './json-text.ts';

/** A detail of an error, made readable. */
export interface Detail {
  /** Such as `google.rpc.RetryInfo`. */
  readonly type: string;
  /** What it says, in a sentence; `undefined` where its JSON alone tells. */
  readonly sentence: string | undefined;
  /** Its content; base64 of bytes whose type is not known. */
  readonly json: JsonValue;
  /** What it says of fields of the request. */
  readonly violations: readonly Violation[];
}

/** A field of the request that is not as it must be. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** Decodes the details of an error by the types that the server has described. */
export function detailsOf(error: ConnectError, { registry }: Pick<Catalog, 'registry'>): readonly Detail[] {
  return error.details.map((detail) => {
    // What comes from a server is always in bytes; the other form is for those who make errors.
    if (!('type' in detail))
      return { type: detail.desc.typeName, sentence: undefined, json: {}, violations: [] };
    const { type, value } = detail;
    const desc = registry.getMessage(type);
    const unread = { type, sentence: undefined, json: base64Encode(value), violations: [] };
    if (desc === undefined) return unread;
    try {
      const json = toJson(desc, fromBinary(desc, value), { registry });
      if (!isObject(json)) return { ...unread, json };
      return { type, json, sentence: sentenceOf(type, json), violations: violationsOf(type, json) };
    } catch {
      return unread;
    }
  });
}

function sentenceOf(type: string, json: JsonObject): string | undefined {
  switch (type) {
    case 'google.rpc.ErrorInfo':
      return [textOf(json.reason), json.domain ? `in the domain ${textOf(json.domain)}` : '']
        .join(' ')
        .trim();
    case 'google.rpc.RetryInfo':
      return `Retry after ${Number.parseFloat(textOf(json.retryDelay ?? '0s'))} s.`;
    case 'google.rpc.LocalizedMessage':
      return textOf(json.message);
    case 'google.rpc.RequestInfo':
      return `Request ${textOf(json.requestId)}`;
    case 'google.rpc.DebugInfo':
      return textOf(json.detail);
    default:
      return undefined;
  }
}

function violationsOf(type: string, json: JsonObject): Violation[] {
  if (type !== 'google.rpc.BadRequest' || !Array.isArray(json.fieldViolations)) return [];
  return json.fieldViolations
    .filter(isObject)
    .map(({ field, description }) => ({ field: textOf(field), description: textOf(description) }));
}

function textOf(json: JsonValue | undefined): string {
  return typeof json === 'string' ? json : json === undefined ? '' : JSON.stringify(json);
}
