import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Registry,
  ScalarType,
} from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import type { Catalog } from '../catalog.ts';
import { type Child, h, newId, put } from '../dom.ts';
import { readJson } from './json-text.ts';
import { type Checked, readScalar, scalarName } from './scalar.ts';
import { isSecretField } from './secret-name.ts';

/** Where a value is kept: in the request, at a field, an element or an entry. */
export interface Place {
  get(): JsonValue | undefined;
  /** `undefined` removes it. */
  set(value: JsonValue | undefined): void;
}

/** What parts of a form share. */
export interface FormContext {
  readonly catalog: Catalog;
  /** Is called after each change that a person makes. */
  changed(): void;
}

/** A value of a field, as its editor sees it. */
export interface Slot {
  readonly field: DescField;
  readonly place: Place;
  /** Names it within the request, such as `user.0.username`: violations are shown by it. */
  readonly path: string;
  readonly label: string;
  /** Whether an empty text is a value, because being there is one: an element of a list, the choice of a oneof. */
  readonly isPresent: boolean;
  readonly tools?: readonly Child[];
}

/** The type of a field's value, as the proto names it. */
export function typeName(field: DescField): string {
  if (field.fieldKind === 'map') {
    const value =
      field.message?.name ?? field.enum?.name ?? (field.scalar === undefined ? '' : scalarName(field.scalar));
    return `map<${scalarName(field.mapKey)}, ${value}>`;
  }
  if (field.message !== undefined) return field.message.typeName;
  if (field.enum !== undefined) return field.enum.typeName;
  return field.scalar === undefined ? '' : scalarName(field.scalar);
}

/** Makes the field of a scalar, an enum, or a message that has a JSON form of its own, such as a Timestamp. */
export function singleField(slot: Slot, context: FormContext): HTMLElement {
  const { field } = slot;
  if (field.enum !== undefined) {
    return choiceField(
      slot,
      context,
      field.enum.values.map(({ name, number }) => [name, [name, number]]),
    );
  }
  if (field.scalar !== ScalarType.BOOL) return textField(slot, context);
  const canBeUnset = field.presence !== FeatureSet_FieldPresence.IMPLICIT;
  if (!slot.isPresent && !canBeUnset) return boolField(slot, context);
  return choiceField(slot, context, [
    ['false', [false]],
    ['true', [true]],
  ]);
}

function textField(slot: Slot, context: FormContext): HTMLElement {
  const { message, scalar } = slot.field;
  const input = message !== undefined && isAnyJson(message) ? h('textarea', { rows: 2 }) : h('input');
  input.value = textOf(slot.place.get(), message);
  input.setAttribute('autocomplete', 'off');
  input.setAttribute('spellcheck', 'false');
  if (message !== undefined)
    input.setAttribute('placeholder', placeholders[message.typeName] ?? (isAnyJson(message) ? 'JSON' : ''));
  if (input instanceof HTMLInputElement && isSecretField(slot.field.name)) {
    input.type = 'password';
    // Browsers offer to fill in and to keep what is merely "off".
    input.setAttribute('autocomplete', 'new-password');
  }
  const row = rowOf(slot, input, context);
  const isText = scalar === ScalarType.STRING || scalar === ScalarType.BYTES;
  const look = (): JsonValue | undefined => {
    const text = input.value;
    if (text === '' && !(slot.isPresent && isText)) {
      row.show(slot.isPresent ? 'is empty' : undefined);
      return slot.isPresent ? '' : undefined;
    }
    const checked =
      message === undefined
        ? readScalar(scalar ?? ScalarType.STRING, text)
        : readMessage(message, text, context.catalog.registry);
    row.show(checked.error);
    // What can't be meant is kept as it was typed, so that the JSON beside shows it too.
    return checked.error === undefined ? checked.json : text;
  };
  input.addEventListener('input', () => {
    slot.place.set(look());
    context.changed();
  });
  if (input.value !== '') look();
  return row.element;
}

function boolField(slot: Slot, context: FormContext): HTMLElement {
  const box = h('input', { type: 'checkbox' });
  box.checked = slot.place.get() === true;
  const row = rowOf(slot, box, context);
  box.addEventListener('change', () => {
    row.show(undefined);
    slot.place.set(box.checked ? true : undefined);
    context.changed();
  });
  return row.element;
}

/** A field with a few values: what each is called, and as what it may be held; the first of these is set. */
function choiceField(
  slot: Slot,
  context: FormContext,
  choices: readonly (readonly [label: string, held: readonly JsonValue[]])[],
): HTMLElement {
  const held = slot.place.get();
  const chosen = choices.findIndex(([, values]) => held !== undefined && values.includes(held));
  const options = choices.map(([label], index) =>
    h('option', { value: index, selected: index === chosen }, label),
  );
  if (!slot.isPresent) options.unshift(h('option', { value: '', selected: held === undefined }, 'not set'));
  const isForeign = held !== undefined && chosen < 0;
  if (isForeign) options.push(h('option', { value: 'held', selected: true }, String(held)));
  const select = h('select', {}, ...options);
  const row = rowOf(slot, select, context);
  // Open enums take any number.
  if (isForeign && typeof held !== 'number') row.show('is none of its values');
  select.addEventListener('change', () => {
    row.show(undefined);
    if (select.value !== 'held') slot.place.set(choices[Number(select.value || '-1')]?.[1][0]);
    context.changed();
  });
  return row.element;
}

/** Label, input, comment and error of a field; `show` sets the error. */
function rowOf(slot: Slot, input: HTMLElement, { catalog }: FormContext) {
  const id = newId('field');
  const comment = slot.isPresent ? undefined : catalog.comment(slot.field);
  input.id = id;
  const described = comment === undefined ? `${id}-error` : `${id}-hint ${id}-error`;
  input.setAttribute('aria-describedby', described);
  const error = h('p', { class: 'error', id: `${id}-error` });
  const isEntry = slot.field.fieldKind === 'map';
  const type = isEntry ? undefined : h('span', { class: 'type' }, typeName(slot.field));
  const head = h(
    'div',
    { class: 'field-head' },
    h('label', { for: id }, slot.label, ' ', type),
    ...(slot.tools ?? []),
  );
  const hint = comment === undefined ? undefined : h('p', { class: 'hint', id: `${id}-hint` }, comment);
  const isBox = input instanceof HTMLInputElement && input.type === 'checkbox';
  const element = h(
    'div',
    { class: isBox ? 'field box' : 'field', 'data-path': slot.path },
    head,
    input,
    error,
    hint,
  );
  const show = (text: string | undefined) => {
    put(error, text);
    if (text === undefined) input.removeAttribute('aria-invalid');
    else input.setAttribute('aria-invalid', 'true');
  };
  return { element, show };
}

const placeholders: Readonly<Record<string, string>> = {
  'google.protobuf.Timestamp': '2026-11-27T20:00:00Z',
  'google.protobuf.Duration': '1.5s',
  'google.protobuf.FieldMask': 'user.username,userId',
};

/** Whether a message is written as one JSON value rather than field by field. */
export function hasJsonForm({ typeName: name }: DescMessage): boolean {
  return name.startsWith('google.protobuf.') && name !== 'google.protobuf.Empty';
}

/** Whether any JSON, or any object or list of JSON, may be such a message. */
function isAnyJson({ typeName: name }: DescMessage): boolean {
  return /^google\.protobuf\.(Any|Struct|Value|ListValue)$/.test(name);
}

function textOf(json: JsonValue | undefined, message: DescMessage | undefined): string {
  if (json === undefined) return '';
  if (typeof json === 'string' && !(message !== undefined && isAnyJson(message))) return json;
  return JSON.stringify(json);
}

/** Reads JSON, or a text that stands for itself, such as `1.5s`, as a message. */
function readMessage(desc: DescMessage, text: string, registry: Registry): Checked {
  const read = readJson(text);
  const candidates: JsonValue[] = read.error === undefined ? [read.json, text] : [text];
  let message = '';
  for (const json of candidates) {
    try {
      fromJson(desc, json, { registry });
      return { json };
    } catch (error) {
      message ||= error instanceof Error ? error.message : String(error);
    }
  }
  return { error: read.error !== undefined && isAnyJson(desc) ? `must be JSON: ${read.error}` : message };
}
