import {
  type DescField,
  type DescMessage,
  type DescOneof,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { type Child, h, newId, put } from '../dom.ts';
import { type FormContext, hasJsonForm, type Place, type Slot, singleField, typeName } from './form-field.ts';
import { listField, mapField } from './form-list.ts';
import { isObject } from './json-text.ts';

/** A form for the messages of a type: each change changes the JSON that it was given. */
export class RequestForm {
  readonly element = h('div', { class: 'form' });
  readonly #desc: DescMessage;
  readonly #context: FormContext;
  #request: JsonObject = {};

  /** @param changed is called after each change that a person makes in the form */
  constructor(catalog: Catalog, desc: DescMessage, changed: (request: JsonValue) => void) {
    this.#desc = desc;
    this.#context = { catalog, changed: () => changed(this.#request) };
  }

  /** Shows another request. It stays the caller's: what is typed here goes into a copy. */
  show(request: JsonObject): void {
    this.#request = structuredClone(request);
    const place: Place = { get: () => this.#request, set: () => {} };
    const fields = messageFields(this.#desc, place, '', this.#context);
    put(
      this.element,
      ...(fields.length > 0 ? fields : [h('p', { class: 'quiet' }, 'This request has no fields.')]),
    );
  }

  /**
   * Shows what a server says of a field, such as `user[0].username`, at that field or at the nearest one around it.
   * False if there is none.
   */
  showViolation(field: string, description: string): boolean {
    const steps = field.split(/[.[\]"]+/).filter((it) => it !== '');
    for (let count = steps.length; count > 0; count--) {
      const path = steps.slice(0, count).map(snake).join('.');
      const row = this.element.querySelector(`[data-path="${CSS.escape(path)}"]`);
      const error = row?.querySelector('.error');
      if (!row || !error) continue;
      const said = count === steps.length ? description : `${field} ${description}`;
      put(error, error.textContent === '' ? said : `${error.textContent}; ${said}`);
      row.querySelector('input, select, textarea')?.setAttribute('aria-invalid', 'true');
      return true;
    }
    return false;
  }

  /** The first field that holds what it can't, to be looked at. */
  get firstInvalid(): HTMLElement | null {
    return this.element.querySelector('[aria-invalid="true"]');
  }
}

/** Fields by the names of the proto: `userId` and `user_id` are the same. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Where the value of a field is kept within its message. JSON may name it as the proto does, or in camel case. */
function placeOf(field: DescField, parent: Place): Place {
  return {
    get() {
      const message = parent.get();
      return isObject(message) ? (message[field.jsonName] ?? message[field.name]) : undefined;
    },
    set(value) {
      const message = parent.get();
      const next = isObject(message) ? message : {};
      delete next[field.name];
      if (value === undefined) delete next[field.jsonName];
      else next[field.jsonName] = value;
      if (next !== message) parent.set(next);
    },
  };
}

/** The editors of a message's fields; a oneof has one of its own, at the place of its first field. */
export function messageFields(
  desc: DescMessage,
  place: Place,
  path: string,
  context: FormContext,
): HTMLElement[] {
  return desc.members
    .map((member) =>
      member.kind === 'oneof'
        ? oneofField(member, place, path, context)
        : fieldEditor(
            {
              field: member,
              place: placeOf(member, place),
              path: path === '' ? member.name : `${path}.${member.name}`,
              label: member.name,
              isPresent: false,
            },
            context,
          ),
    )
    .filter((it) => it !== undefined);
}

/** The editor of a value, whatever its kind. */
export function fieldEditor(slot: Slot, context: FormContext): HTMLElement {
  const { field } = slot;
  if (field.fieldKind === 'list') return listField(slot, context);
  if (field.fieldKind === 'map') return mapField(slot, context);
  return valueEditor(slot, context);
}

/** The editor of one value, an element of a list or an entry's value among them. */
export function valueEditor(slot: Slot, context: FormContext): HTMLElement {
  const { message } = slot.field;
  return message === undefined || hasJsonForm(message)
    ? singleField(slot, context)
    : messageField(slot, message, context);
}

/** A message within a message. One that need not be there is added by a button, so that recursive types end. */
function messageField(slot: Slot, desc: DescMessage, context: FormContext): HTMLElement {
  const body = h('div', { class: 'nested' });
  const tools = h('div', { class: 'tools' });
  const change = (value: JsonValue | undefined) => {
    slot.place.set(value);
    render();
    tools.querySelector('button')?.focus();
    context.changed();
  };
  const render = () => {
    const isThere = slot.place.get() !== undefined;
    put(body, ...(isThere ? messageFields(desc, slot.place, slot.path, context) : []));
    const label = `${isThere ? 'Remove' : 'Add'} ${slot.label}`;
    const toggle = h(
      'button',
      { type: 'button', class: 'small', on: { click: () => change(isThere ? undefined : {}) } },
      label,
    );
    put(tools, ...(slot.isPresent ? (slot.tools ?? []) : [toggle]));
  };
  if (slot.isPresent && slot.place.get() === undefined) slot.place.set({});
  render();
  return group(slot, [tools], [body], context);
}

/** A labelled group of fields, with a place for errors of its own. */
export function group(
  slot: Slot,
  tools: readonly Child[],
  content: readonly Child[],
  { catalog }: FormContext,
): HTMLElement {
  const id = newId('group');
  const comment = slot.isPresent ? undefined : catalog.comment(slot.field);
  const repeated = slot.field.fieldKind === 'list' && !slot.isPresent ? 'repeated ' : '';
  const isElement = slot.isPresent && slot.field.oneof === undefined;
  // An element's type is that of its list, which says it.
  const type = isElement ? undefined : h('span', { class: 'type' }, repeated + typeName(slot.field));
  return h(
    'div',
    {
      class: isElement ? `field group element${isShort(slot.field) ? ' short' : ''}` : 'field group',
      role: 'group',
      'aria-labelledby': id,
      'data-path': slot.path,
    },
    h('div', { class: 'field-head' }, h('span', { id, class: 'label' }, slot.label, ' ', type), ...tools),
    comment === undefined ? undefined : h('p', { class: 'hint' }, comment),
    h('p', { class: 'error' }),
    ...content,
  );
}

/** Whether a message's fields fit into a line: few, and none of them a list or a message. */
function isShort({ message }: DescField): boolean {
  const fields = message?.fields ?? [];
  return (
    fields.length <= 3 && fields.every(({ fieldKind }) => fieldKind === 'scalar' || fieldKind === 'enum')
  );
}

/** Lets one field of a oneof be chosen, or none. */
function oneofField(oneof: DescOneof, parent: Place, path: string, context: FormContext): HTMLElement {
  const chosen = () => oneof.fields.find((it) => placeOf(it, parent).get() !== undefined);
  const body = h('div', { class: 'nested' });
  const id = newId('oneof');
  const select = h(
    'select',
    { id },
    h('option', { value: '' }, 'not set'),
    ...oneof.fields.map((it) => h('option', { value: it.name, selected: it === chosen() }, it.name)),
  );
  const render = () => {
    const field = chosen();
    if (field === undefined) return put(body);
    const at = path === '' ? field.name : `${path}.${field.name}`;
    const slot = { field, place: placeOf(field, parent), path: at, label: field.name, isPresent: true };
    return put(body, fieldEditor(slot, context));
  };
  select.addEventListener('change', () => {
    for (const it of oneof.fields) placeOf(it, parent).set(undefined);
    const field = oneof.fields.find((it) => it.name === select.value);
    if (field !== undefined) placeOf(field, parent).set(emptyOf(field));
    render();
    context.changed();
  });
  render();
  return h(
    'div',
    { class: 'field', 'data-path': path === '' ? oneof.name : `${path}.${oneof.name}` },
    h(
      'div',
      { class: 'field-head' },
      h('label', { for: id }, oneof.name, ' ', h('span', { class: 'type' }, 'oneof')),
    ),
    select,
    h('p', { class: 'error' }),
    body,
  );
}

/** What a value is that was only just added. */
export function emptyOf(field: DescField): JsonValue {
  if (field.enum !== undefined) return field.enum.values[0]?.name ?? 0;
  if (field.message !== undefined) return hasJsonForm(field.message) ? '' : {};
  if (field.scalar === undefined) return '';
  const { STRING, BYTES, BOOL } = ScalarType;
  if (field.scalar === STRING || field.scalar === BYTES) return '';
  return field.scalar === BOOL ? false : 0;
}
