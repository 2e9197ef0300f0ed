import type { DescMethod } from '@bufbuild/protobuf';
import { type Catalog, isCallable, kindOf, pathOf } from '../catalog.ts';
import { copyButton } from '../copy.ts';
import { h, put } from '../dom.ts';
import { counted, duration } from '../duration.ts';
import type { Session } from '../session.ts';
import { statusName, toneOfCode } from '../status.ts';
import { Answer } from './answer.ts';
import { makeCall } from './call.ts';
import { CallOptions } from './call-options.ts';
import { CommandBox } from './command-box.ts';
import { type Filled, formatLink } from './link.ts';
import { RequestEditor } from './request-editor.ts';

/** Chats and mail programs break longer links. */
const maxLinkCharacters = 8_000;

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
  readonly #status = h('p', { class: 'outcome', role: 'status' });
  readonly #ofBefore = h('span', { class: 'quiet', hidden: true }, 'to what was sent before');
  /** What the answer that is shown is to, as JSON. */
  #sent: string | undefined;
  #running: AbortController | undefined;

  constructor(method: DescMethod, catalog: Catalog, session: Session) {
    this.method = method;
    this.#catalog = catalog;
    this.#session = session;
    this.#editor = new RequestEditor(method, catalog, () => this.refresh());
    this.#showAnswer(h('p', { class: 'quiet' }, 'Nothing was sent yet.'));
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

  /** Writes the commands anew, and marks an answer to something else. */
  refresh(): void {
    const { metadata, deadlineMs } = this.#options;
    this.#ofBefore.hidden = this.#sent === undefined || this.#sent === this.#asked();
    if (!this.#editor.isRead) return this.#commands.show(undefined);
    return this.#commands.show({
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
    this.#sent = this.#asked();
    this.#showAnswer(answer.element);
    put(this.#status, 'Waiting');
    // The messages of a stream are seen coming; one answer, once it is there.
    const isStream = this.method.methodKind !== 'unary';
    if (isStream) this.#lookAtAnswer();
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
    const name = statusName(end.error?.code);
    put(
      this.#status,
      h('span', { class: `status ${toneOfCode(end.error?.code)}` }, name),
      ` ${isStream ? `${counted(answer.count, 'message')} in ` : ''}${duration(end.ms)}`,
    );
    if (!isStream) this.#lookAtAnswer();
    if (violations.length > 0) this.#editor.showViolations(violations);
  }

  /** Cancels the call that runs, if any. */
  cancel(): void {
    this.#running?.abort();
  }

  /** What would be sent, as JSON; `undefined` when it can't be read. */
  #asked(): string | undefined {
    return this.#editor.isRead ? JSON.stringify(this.filled) : undefined;
  }

  #showAnswer(content: HTMLElement): void {
    this.#ofBefore.hidden = true;
    put(this.#answer, h('div', { class: 'section-head' }, h('h3', {}, 'Answer'), this.#ofBefore), content);
  }

  /** Where the answer is below the request rather than beside it, it comes into view. */
  #lookAtAnswer(): void {
    if (!matchMedia('(max-width: 1100px)').matches) return;
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#answer.scrollIntoView({ behavior: isStill ? 'auto' : 'smooth', block: 'start' });
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
      ? h('div', { class: 'actions' }, this.#send, this.#cancel, this.#status)
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
    const { href } = location;
    const long =
      href.length > maxLinkCharacters &&
      `it is long (${href.length.toLocaleString('en')} characters): some programs cut it`;
    const without = left.length > 0 && `without ${left.join(', ')}`;
    return { text: href, note: [without, long].filter(Boolean).join('; ') };
  }
}
