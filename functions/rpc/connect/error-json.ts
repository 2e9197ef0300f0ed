import {
  create,
  type DescMessage,
  type JsonObject,
  type Message,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { base64Encode } from '@bufbuild/protobuf/wire';
import type { ConnectError } from '@connectrpc/connect';
import { connectCodeName } from '../call/status.ts';
import { onceIfLasting } from '../errors.ts';

/** An error in Connect's JSON. Source: https://connectrpc.com/docs/protocol#error-end-stream */
export const errorJson = onceIfLasting(makeJson);

function makeJson({ code, rawMessage, details }: ConnectError): JsonObject {
  return {
    code: connectCodeName(code),
    ...(rawMessage === '' ? {} : { message: rawMessage }),
    ...(details.length === 0 ? {} : { details: details.map(detailJson) }),
  };
}

type Detail = ConnectError['details'][number];

/** The value is protobuf; `debug` is the same for people. */
function detailJson(detail: Detail): JsonObject {
  if (!('desc' in detail)) {
    const { type, value, debug } = detail;
    return { type, ...(debug === undefined ? {} : { debug }), value: base64Encode(value, 'std_raw') };
  }
  const message = create(detail.desc, detail.value);
  const value = base64Encode(toBinary(detail.desc, message), 'std_raw');
  return { type: detail.desc.typeName, ...debugOf(detail.desc, message), value };
}

/** A detail may hold an Any whose type is unknown here: then there is nothing to show. */
function debugOf(type: DescMessage, message: Message): JsonObject {
  try {
    return { debug: toJson(type, message) };
  } catch {
    return {};
  }
}
