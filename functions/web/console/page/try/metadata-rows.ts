import { h, put } from '../dom.ts';
import { isMetadataName } from './metadata-name.ts';

type Pair = readonly [name: string, value: string];

/** Rows of metadata to send: a name and a value each. */
export class MetadataRows {
  readonly element = h('div', { class: 'metadata' });
  readonly #rows = h('div');
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
    const add = () => {
      this.#append('', '');
      this.#rows.lastElementChild?.querySelector('input')?.focus();
    };
    const button = h('button', { type: 'button', class: 'small', on: { click: add } }, 'Add metadata');
    put(
      this.element,
      h('div', { class: 'field-head' }, h('span', { class: 'label' }, 'Metadata'), button),
      this.#rows,
    );
  }

  /** The rows that have a name. */
  get value(): readonly Pair[] {
    return [...this.#rows.children]
      .map((row): Pair => {
        const [name, value] = row.querySelectorAll('input');
        return [name?.value.trim() ?? '', value?.value.trim() ?? ''];
      })
      .filter(([name]) => name !== '');
  }

  /** Shows other rows. */
  show(pairs: readonly Pair[]): void {
    put(this.#rows);
    for (const [name, value] of pairs) this.#append(name, value);
  }

  #append(name: string, value: string): void {
    const plain = { autocomplete: 'off', spellcheck: 'false', on: { input: this.#changed } };
    const error = h('p', { class: 'error' });
    const nameInput = h('input', {
      ...plain,
      value: name,
      placeholder: 'name',
      'aria-label': 'metadata name',
    });
    const valueInput = h('input', { ...plain, value, placeholder: 'value', 'aria-label': 'metadata value' });
    nameInput.addEventListener('input', () => {
      const text = nameInput.value.trim();
      const isName = text === '' || isMetadataName(text);
      put(error, isName ? undefined : 'is no name for metadata');
      if (isName) nameInput.removeAttribute('aria-invalid');
      else nameInput.setAttribute('aria-invalid', 'true');
    });
    const remove = () => {
      row.remove();
      this.element.querySelector('button')?.focus();
      this.#changed();
    };
    const label = { 'aria-label': 'Remove metadata', title: 'Remove metadata' };
    const row = h(
      'div',
      { class: 'pair' },
      nameInput,
      valueInput,
      h('button', { type: 'button', class: 'icon', ...label, on: { click: remove } }, '×'),
      error,
    );
    this.#rows.append(row);
  }
}
