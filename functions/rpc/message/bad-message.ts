import { type DescField, type DescMessage, type DescOneof, ScalarType } from '@bufbuild/protobuf';
import { isFieldError } from '@bufbuild/protobuf/reflect';
import { ConnectError } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';
import { typesIn } from './json-shape.ts';

/** How the JSON of types that have one of their own looks: https://protobuf.dev/programming-guides/json/ */
const jsonForms: Readonly<Record<string, string>> = {
  'google.protobuf.Timestamp': 'a text as in RFC 3339, such as "2026-11-27T20:00:00Z"',
  'google.protobuf.Duration': 'a text of seconds, such as "1.5s"',
  'google.protobuf.FieldMask': 'one text of paths in lowerCamelCase, parted by commas',
};

const maxNamedFields = 20;

/** Names the field, if it is one that can't be read: that is the contract's own word. */
export function badMessage(cause: unknown): ConnectError {
  if (cause instanceof ConnectError) return cause;
  const reason: unknown = cause instanceof Error ? cause.cause : undefined;
  return rpcError('BAD_MESSAGE', isFieldError(reason) ? said(reason.field()) : undefined);
}

/** Which field it is, and what it takes. */
function said(field: DescField | DescOneof): string {
  if (field.kind === 'oneof') {
    return `${field.parent.name} takes one of ${field.fields.map((it) => it.name).join(', ')}, not two`;
  }
  const { scalar } = field;
  const whole = scalar === undefined ? undefined : wholeNumbers[scalar];
  return whole === undefined ? String(field) : `${field} must be a whole number ${whole}`;
}

/** What the small ones hold; JSON may have any number in their place. */
const wholeNumbers: { readonly [Type in ScalarType]?: string } = {
  [ScalarType.UINT32]: 'from 0 to 4294967295',
  [ScalarType.FIXED32]: 'from 0 to 4294967295',
  [ScalarType.INT32]: 'from -2147483648 to 2147483647',
  [ScalarType.SINT32]: 'from -2147483648 to 2147483647',
  [ScalarType.SFIXED32]: 'from -2147483648 to 2147483647',
};

/**
 * The same for JSON. Of a message in a message protobuf tells the type alone, so the field is looked for; what was sent
 * is not quoted, nor is the name of a field that is unknown: the fields that there are help as well.
 */
export function badJson(root: DescMessage, cause: unknown): ConnectError {
  const text = cause instanceof Error ? cause.message : '';
  const [, typeName, problem = ''] = /^cannot decode message ([\w.]+) from JSON: (.*)$/s.exec(text) ?? [];
  const types = [root, ...typesIn(root)];
  const type = types.find((it) => it.typeName === typeName);
  if (type === undefined) return badMessage(cause);
  if (/^key ".*" is unknown$/s.test(problem)) {
    const known = type.fields.slice(0, maxNamedFields).map(({ name }) => name);
    return rpcError('BAD_MESSAGE', `a field is unknown; ${type.typeName} has ${known.join(', ')}`);
  }
  const fields = new Set(types.flatMap((it) => it.fields).filter((it) => it.message === type));
  const [field] = fields;
  const name = String(fields.size === 1 ? field : type);
  const form = jsonForms[type.typeName] ?? (type.typeName.startsWith('google.') ? undefined : 'an object');
  return rpcError('BAD_MESSAGE', form === undefined ? name : `${name} must be ${form}`);
}
