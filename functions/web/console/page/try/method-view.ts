import type { DescMethod } from '@bufbuild/protobuf';
import { type Catalog, isCallable, kindOf, pathOf } from '../catalog.ts';
import { copyButton } from '../copy.ts';
import { h, put } from '../dom.ts';
import type { Session } from '../session.ts';
import { Answer } from './answer.ts';
import { makeCall } from './call.ts';
import { CallOptions } from './call-options.ts';
import { CommandBox } from './command-box.ts';
import { type Filled, formatLink } from './link.ts';
import { RequestEditor } from './request-editor.ts';

/** A method: what it is, its request, how it is called, and what came of that. */
export class MethodView {
  readonly method: DescMethod;
  readonly element = h('article', { class: 'method-view' });
  readonly #catalog: Catalog;
  readonly #session: Session;
  readonly #editor: RequestEditor;
  readonly #options = new CallOptions(() => this.refresh());
  readonly #commands = new CommandBox();
  readonly #answer = h('section', { class: 'panel answer-panel', 'aria-label': 'Answer' });
  readonly #send = h('button', { type: 'submit', class: 'primary' }, 'Send', h('kbd', {}, 'Ctrl ⏎'));
  readonly #cancel = h(
    'button',
    { type: 'button', disabled: true, on: { click: () => this.cancel() } },
    'Cancel',
    h('kbd', {}, 'Esc'),
  );
  #running: AbortController | undefined;

  constructor(method: DescMethod, catalog: Catalog, session: Session) {
    this.method = method;
    this.#catalog = catalog;
    this.#session = session;
    this.#editor = new RequestEditor(method, catalog, () => this.refresh());
    put(this.#answer, h('h3', {}, 'Answer'), h('p', { class: 'quiet' }, 'Nothing was sent yet.'));
    put(this.element, this.#head(), this.#request(), this.#commands.element);
  }

  /** What the form says, for a link or for later. */
  get filled(): Filled {
    return { request: this.#editor.value, ...this.#options.value };
  }

  /** Fills the form. */
  show(filled: Filled): void {
    this.#editor.show(filled.request);
    this.#options.show(filled);
    this.refresh();
  }

  /** Writes the commands anew. */
  refresh(): void {
    const { metadata, deadlineMs } = this.#options;
    this.#commands.show({
      method: this.method,
      request: this.#editor.value,
      endpoint: location.origin,
      metadata,
      deadlineMs,
      hasToken: this.#session.credential !== '',
    });
  }

  /** Sends the call, unless one runs or the form is not as it must be. */
  async send(): Promise<void> {
    if (this.#running !== undefined || !isCallable(this.method)) return;
    if (!this.#options.canBeSent() || !this.#editor.canBeSent()) return;
    this.#editor.forget();
    const running = new AbortController();
    this.#running = running;
    this.#setRunning(true);
    const { protocol } = this.#options.value;
    const { metadata, deadlineMs } = this.#options;
    const answer = new Answer(this.method, this.#catalog);
    put(this.#answer, h('h3', {}, 'Answer'), answer.element);
    const asked = {
      method: this.method,
      request: this.#editor.value,
      protocol,
      metadata,
      deadlineMs,
      signal: running.signal,
    };
    const end = await makeCall(asked, this.#catalog, this.#session, answer);
    this.#running = undefined;
    this.#setRunning(false);
    const violations = answer.ended(end);
    if (violations.length > 0) this.#editor.showViolations(violations);
  }

  /** Cancels the call that runs, if any. */
  cancel(): void {
    this.#running?.abort();
  }

  #setRunning(isRunning: boolean): void {
    this.#send.disabled = isRunning;
    this.#cancel.disabled = !isRunning;
  }

  #head(): HTMLElement {
    const { method } = this;
    const access = this.#catalog.access(method);
    return h(
      'header',
      { class: 'method-head' },
      h(
        'h2',
        {},
        method.name,
        ' ',
        h('span', { class: 'tag' }, kindOf(method)),
        access ? h('span', { class: 'tag' }, access) : undefined,
      ),
      h(
        'p',
        { class: 'path' },
        h('code', {}, pathOf(method)),
        ' ',
        h(
          'span',
          { class: 'quiet' },
          `${method.input.typeName} → ${method.methodKind.startsWith('server') || method.methodKind.startsWith('bidi') ? 'stream of ' : ''}${method.output.typeName}`,
        ),
      ),
      h('p', { class: 'comment' }, this.#catalog.comment(method)),
    );
  }

  #request(): HTMLElement {
    const reset = () => this.#editor.show(this.#catalog.example(this.method));
    const link = copyButton('Copy link', () => this.#link());
    const callable = isCallable(this.method);
    const actions = callable
      ? h('div', { class: 'actions' }, this.#send, this.#cancel)
      : h(
          'p',
          { class: 'notice' },
          'A browser can’t send a request as a stream, so this method can’t be called from here. The commands below can.',
        );
    const form = h(
      'form',
      { class: 'panel request-panel', 'aria-label': 'Request', novalidate: true },
      h(
        'div',
        { class: 'section-head' },
        h('h3', {}, 'Request'),
        h('button', { type: 'button', class: 'small', on: { click: reset } }, 'Example'),
        link,
      ),
      this.#editor.form,
      h('div', { class: 'options' }, this.#options.element),
      actions,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.send();
    });
    const json = h(
      'section',
      { class: 'panel json-panel', 'aria-label': 'JSON' },
      h('h3', {}, h('label', { for: 'json' }, 'JSON')),
      this.#editor.json,
    );
    return h(
      'div',
      { class: 'columns' },
      form,
      h('div', { class: 'column' }, json, callable ? this.#answer : undefined),
    );
  }

  #link(): { text: string; note: string } {
    const { hash, left } = formatLink(pathOf(this.method), this.filled);
    history.replaceState(null, '', hash);
    return { text: location.href, note: left.length === 0 ? '' : `without ${left.join(', ')}` };
  }
}
