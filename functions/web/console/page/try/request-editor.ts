import { type DescMethod, fromJson, type JsonValue } from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { h, put } from '../dom.ts';
import type { Violation } from './error-details.ts';
import { RequestForm } from './form.ts';
import { isObject, readJson } from './json-text.ts';

/** A request as a form and as JSON; each shows what is typed into the other. */
export class RequestEditor {
  readonly form: HTMLElement;
  readonly json: HTMLElement;
  readonly #method: DescMethod;
  readonly #catalog: Catalog;
  readonly #form: RequestForm;
  readonly #text: HTMLTextAreaElement;
  readonly #error = h('p', { class: 'error', id: 'json-error', role: 'status' });
  readonly #changed: () => void;
  #request: JsonValue = {};

  constructor(method: DescMethod, catalog: Catalog, changed: () => void) {
    this.#method = method;
    this.#catalog = catalog;
    this.#changed = changed;
    this.#form = new RequestForm(catalog, method.input, (request) => this.#formChanged(request));
    this.form = this.#form.element;
    this.#text = h('textarea', {
      id: 'json',
      class: 'json',
      spellcheck: 'false',
      autocomplete: 'off',
      'aria-describedby': 'json-error',
    });
    this.#text.addEventListener('input', () => this.#textChanged());
    this.json = h('div', { class: 'json-field' }, this.#text, this.#error);
  }

  /** The request, as far as it can be read. */
  get value(): JsonValue {
    return this.#request;
  }

  /** Whether the JSON can be read: if not, `value` is what was typed before. */
  get isRead(): boolean {
    return isObject(readJson(this.#text.value.trim() || '{}').json);
  }

  /** Shows another request, in both. */
  show(request: JsonValue): void {
    this.#request = request;
    this.#form.show(isObject(request) ? request : {});
    this.#write();
    this.#check();
  }

  /** Whether the request can be sent. If not, the place that keeps it from that is looked at. */
  canBeSent(): boolean {
    const invalid = this.#form.firstInvalid;
    if (this.#error.textContent === '') return true;
    (invalid ?? this.#text).focus();
    return false;
  }

  /** Shows what a server says of fields, at these. What it said before is forgotten. */
  showViolations(violations: readonly Violation[]): void {
    this.forget();
    for (const { field, description } of violations) this.#form.showViolation(field, description);
  }

  /** Forgets what a server said of the fields. */
  forget(): void {
    // A form made anew says only what is wrong with what it holds.
    if (this.form.querySelector('.error:not(:empty)') && isObject(this.#request))
      this.#form.show(this.#request);
  }

  #formChanged(request: JsonValue): void {
    this.#request = request;
    this.#write();
    this.#check();
    this.#changed();
  }

  #textChanged(): void {
    const read = readJson(this.#text.value.trim() || '{}');
    this.#fit();
    if (isObject(read.json)) {
      this.#request = read.json;
      this.#form.show(read.json);
      this.#check();
    } else if (read.error === undefined) this.#say('A request is an object, such as {}.');
    else this.#say(`This is not JSON: ${read.error}`);
    this.#changed();
  }

  #write(): void {
    this.#text.value = JSON.stringify(this.#request, null, 2);
    this.#fit();
  }

  /** As many lines as the text has, between a few and a screen's. */
  #fit(): void {
    const lines = this.#text.value.split('\n').length;
    this.#text.rows = Math.min(24, Math.max(3, lines));
  }

  #check(): void {
    const { registry } = this.#catalog;
    try {
      fromJson(this.#method.input, this.#request, { registry });
      this.#say(undefined);
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error));
    }
  }

  #say(error: string | undefined): void {
    put(this.#error, error);
    if (error === undefined) this.#text.removeAttribute('aria-invalid');
    else this.#text.setAttribute('aria-invalid', 'true');
  }
}
