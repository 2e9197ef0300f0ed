import { type DescField, type JsonObject, type JsonValue, ScalarType } from '@bufbuild/protobuf';
import { h, put } from '../dom.ts';
import { emptyOf, group, valueEditor } from './form.ts';
import type { FormContext, Place, Slot } from './form-field.ts';
import { isObject } from './json-text.ts';
import { readScalar } from './scalar.ts';

/** How many elements or entries get editors. More are kept, and the JSON beside shows them. */
const maxEditors = 50;

/** The editor of a repeated field: its elements, each with a button that removes it, and one that adds another. */
export function listField(slot: Slot, context: FormContext): HTMLElement {
  const { field, place } = slot;
  const list = h('div', { class: 'nested' });
  const held = (): JsonValue[] => {
    const value = place.get();
    return Array.isArray(value) ? value : [];
  };
  const change = (values: JsonValue[]) => {
    place.set(values.length === 0 ? undefined : values);
    render();
    context.changed();
  };
  const render = () => {
    const editors = held()
      .slice(0, maxEditors)
      .map((_, index) => {
        const label = `${field.name} ${index + 1}`;
        const remove = removeButton(label, () => {
          change(held().toSpliced(index, 1));
          add.focus();
        });
        const at: Place = {
          get: () => held()[index],
          set(value) {
            const values = held();
            if (value !== undefined) values[index] = value;
          },
        };
        return valueEditor(
          { field, place: at, path: `${slot.path}.${index}`, label, isPresent: true, tools: [remove] },
          context,
        );
      });
    put(list, ...editors, moreThan(held().length));
  };
  const add = addButton(field, () => {
    change([...held(), emptyOf(field)]);
    focusLast(list);
  });
  render();
  return group(slot, [add], [list], context);
}

/** The editor of a map: a key and a value for each entry. */
export function mapField(slot: Slot, context: FormContext): HTMLElement {
  const { field, place } = slot;
  const list = h('div', { class: 'nested' });
  const held = (): JsonObject => {
    const value = place.get();
    return isObject(value) ? value : {};
  };
  const change = (entries: JsonObject) => {
    place.set(Object.keys(entries).length === 0 ? undefined : entries);
    render();
    context.changed();
  };
  const render = () => {
    const entries = Object.keys(held())
      .slice(0, maxEditors)
      .map((key, index) => entryOf(key, index));
    put(list, ...entries, moreThan(Object.keys(held()).length));
  };
  const entryOf = (key: string, index: number) => {
    const name = `${field.name} ${index + 1}`;
    let current = key;
    const error = h('p', { class: 'error' });
    const input = h('input', {
      value: key,
      'aria-label': `key of ${name}`,
      autocomplete: 'off',
      spellcheck: 'false',
    });
    input.addEventListener('input', () => {
      const keyType = field.fieldKind === 'map' ? field.mapKey : ScalarType.STRING;
      const checked = readScalar(keyType, input.value);
      const isTaken = input.value !== current && input.value in held();
      const problem = isTaken ? 'is the key of another entry' : checked.error;
      put(error, problem);
      input.toggleAttribute('aria-invalid', false);
      if (problem !== undefined) input.setAttribute('aria-invalid', 'true');
      if (isTaken) return;
      // The entry keeps its place.
      const renamed = Object.entries(held()).map(
        ([it, value]) => [it === current ? input.value : it, value] as const,
      );
      current = input.value;
      place.set(Object.fromEntries(renamed));
      context.changed();
    });
    const remove = removeButton(name, () => {
      const rest = Object.entries(held()).filter(([it]) => it !== current);
      change(Object.fromEntries(rest));
      add.focus();
    });
    const at: Place = {
      get: () => held()[current],
      set(value) {
        if (value !== undefined) held()[current] = value;
      },
    };
    const path = `${slot.path}.${key}`;
    const value = valueEditor(
      { field, place: at, path, label: name, isPresent: true, tools: [remove] },
      context,
    );
    return h('div', { class: 'entry' }, h('div', { class: 'key' }, input, error), value);
  };
  const add = addButton(field, () => {
    const isTaken = (key: string) => key in held();
    const isText = field.fieldKind === 'map' && field.mapKey === ScalarType.STRING;
    const isBool = field.fieldKind === 'map' && field.mapKey === ScalarType.BOOL;
    const keys = isBool
      ? ['false', 'true']
      : Array.from({ length: 1000 }, (_, it) => (isText ? `key${it + 1}` : `${it}`));
    const free = keys.find((it) => !isTaken(it));
    if (free === undefined) return;
    change({ ...held(), [free]: emptyOf(field) });
    focusLast(list);
  });
  render();
  return group(slot, [add], [list], context);
}

function addButton(field: DescField, add: () => void): HTMLButtonElement {
  return h('button', { type: 'button', class: 'small', on: { click: add } }, `Add ${field.name}`);
}

function removeButton(label: string, remove: () => void): HTMLButtonElement {
  const name = `Remove ${label}`;
  return h(
    'button',
    { type: 'button', class: 'icon', 'aria-label': name, title: name, on: { click: remove } },
    '×',
  );
}

function moreThan(count: number): HTMLElement | undefined {
  if (count <= maxEditors) return undefined;
  return h('p', { class: 'quiet' }, `${count - maxEditors} more, which the JSON shows.`);
}

function focusLast(list: HTMLElement): void {
  const inputs = list.lastElementChild?.querySelectorAll<HTMLElement>('input, select, textarea');
  inputs?.[0]?.focus();
}
