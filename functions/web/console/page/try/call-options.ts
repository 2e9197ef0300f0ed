import { h, newId, put } from '../dom.ts';
import { parseDeadlineMs } from './deadline.ts';
import type { Filled, Protocol } from './link.ts';
import { MetadataRows } from './metadata-rows.ts';

/** How a method is called: protocol, deadline, metadata. */
export class CallOptions {
  readonly element = h('div', { class: 'call-options' });
  readonly #protocol: HTMLSelectElement;
  readonly #deadline: HTMLInputElement;
  readonly #error = h('p', { class: 'error', id: newId('deadline-error') });
  readonly #metadata: MetadataRows;

  constructor(changed: () => void) {
    this.#metadata = new MetadataRows(changed);
    const ids = { protocol: newId('protocol'), deadline: newId('deadline') };
    this.#protocol = h(
      'select',
      { id: ids.protocol },
      h('option', { value: 'connect' }, 'Connect'),
      h('option', { value: 'grpc-web' }, 'gRPC-Web'),
    );
    this.#deadline = h('input', {
      id: ids.deadline,
      placeholder: 'server’s default',
      autocomplete: 'off',
      'aria-describedby': this.#error.id,
    });
    this.#protocol.addEventListener('change', changed);
    this.#deadline.addEventListener('input', () => {
      this.#look();
      changed();
    });
    put(
      this.element,
      h(
        'div',
        { class: 'pair-of-fields' },
        h(
          'div',
          { class: 'field' },
          h('div', { class: 'field-head' }, h('label', { for: ids.protocol }, 'Protocol')),
          this.#protocol,
        ),
        h(
          'div',
          { class: 'field' },
          h(
            'div',
            { class: 'field-head' },
            h('label', { for: ids.deadline }, 'Deadline ', h('span', { class: 'type' }, '5s, 300ms')),
          ),
          this.#deadline,
          this.#error,
        ),
      ),
      this.#metadata.element,
    );
  }

  /** As typed. */
  get value(): Omit<Filled, 'request'> {
    const protocol: Protocol = this.#protocol.value === 'grpc-web' ? 'grpc-web' : 'connect';
    return { protocol, deadline: this.#deadline.value.trim(), metadata: this.metadata };
  }

  /** The rows that have a name. */
  get metadata(): Filled['metadata'] {
    return this.#metadata.value;
  }

  /** The deadline in ms; `undefined` for the server's. */
  get deadlineMs(): number | undefined {
    return parseDeadlineMs(this.#deadline.value);
  }

  /** Shows other options. */
  show({ protocol, deadline, metadata }: Omit<Filled, 'request'>): void {
    this.#protocol.value = protocol;
    this.#deadline.value = deadline;
    this.#metadata.show(metadata);
    this.#look();
  }

  /** Whether all is as it must be. If not, the field at fault is looked at. */
  canBeSent(): boolean {
    const invalid = this.element.querySelector<HTMLElement>('[aria-invalid="true"]');
    invalid?.focus();
    return invalid === null;
  }

  #look(): void {
    const isWrong = this.#deadline.value.trim() !== '' && this.deadlineMs === undefined;
    put(this.#error, isWrong ? 'must be a time such as 5s, 300ms or 2m' : undefined);
    if (isWrong) this.#deadline.setAttribute('aria-invalid', 'true');
    else this.#deadline.removeAttribute('aria-invalid');
  }
}
