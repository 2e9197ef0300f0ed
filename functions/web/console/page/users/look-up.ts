import { type DescMethod, type Message, toJson } from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { h, newId, put } from '../dom.ts';
import { counted, duration } from '../duration.ts';
import type { Session } from '../session.ts';
import { statusName, toneOfCode } from '../status.ts';
import { makeCall } from '../try/call.ts';
import { detailsOf } from '../try/error-details.ts';
import { isObject } from '../try/json-text.ts';

/** How many of the users that were found, or not, have a row. */
const maxRows = 500;
/** Rows that came together are shown together. */
const drawEveryMs = 60;

/** Looks up many users, and shows each as it arrives. */
export class LookUp {
  readonly element = h('form', { class: 'panel', 'aria-label': 'Look up', novalidate: true });
  readonly #names: HTMLTextAreaElement;
  readonly #error: HTMLElement;
  readonly #found = h('ol', { class: 'found', 'aria-label': 'Users' });
  readonly #said = h('p', { class: 'outcome', role: 'status' });
  readonly #send = h('button', { type: 'submit', class: 'primary' }, 'Look up');
  readonly #cancel = h('button', { type: 'button', disabled: true }, 'Cancel');
  readonly #method: DescMethod;
  readonly #catalog: Catalog;
  readonly #session: Session;
  #running: AbortController | undefined;
  #waiting: HTMLElement[] = [];
  #counts = { found: 0, missing: 0 };

  constructor(method: DescMethod, catalog: Catalog, session: Session) {
    this.#method = method;
    this.#catalog = catalog;
    this.#session = session;
    const id = newId('names');
    this.#names = h('textarea', { id, rows: 6, spellcheck: 'false', 'aria-describedby': `${id}-error` });
    this.#names.value = exampleNames(catalog, method).join('\n');
    this.#error = h('p', { class: 'error', id: `${id}-error` });
    this.#cancel.addEventListener('click', () => this.#running?.abort());
    const label = h('label', { for: id }, 'Names ', h('span', { class: 'type' }, 'one a line'));
    put(
      this.element,
      h('h2', {}, 'Look up'),
      h('div', { class: 'field' }, h('div', { class: 'field-head' }, label), this.#names, this.#error),
      h('div', { class: 'actions' }, this.#send, this.#cancel),
      this.#said,
      this.#found,
    );
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#look();
    });
  }

  /** Adds a name to those that will be looked up. */
  add(name: string): void {
    const names = namesOf(this.#names.value);
    if (!names.includes(name)) this.#names.value = [...names, name].join('\n');
  }

  async #look(): Promise<void> {
    const names = namesOf(this.#names.value);
    this.#fail(names.length === 0 ? 'needs a name' : undefined);
    if (this.#running !== undefined || names.length === 0) return;
    const running = new AbortController();
    this.#running = running;
    this.#counts = { found: 0, missing: 0 };
    this.#waiting = [];
    put(this.#found);
    put(this.#said, 'Looking…');
    this.#setRunning(true);
    const timer = setInterval(() => this.#draw(), drawEveryMs);
    const { error, ms } = await makeCall(
      {
        method: this.#method,
        request: { user: names.map((username) => ({ username })) },
        protocol: 'connect',
        metadata: [],
        deadlineMs: undefined,
        signal: running.signal,
      },
      this.#catalog,
      this.#session,
      { header() {}, message: (message, atMs) => this.#receive(message, atMs) },
    );
    clearInterval(timer);
    this.#running = undefined;
    this.#setRunning(false);
    this.#draw();
    const name = statusName(error?.code);
    const { found, missing } = this.#counts;
    const rest = found + missing > maxRows ? `; the first ${maxRows} are shown` : '';
    const text =
      error?.rawMessage ??
      `${counted(found, 'user')} found, ${missing.toLocaleString('en')} missing, in ${duration(ms)}${rest}`;
    put(this.#said, h('span', { class: `status ${toneOfCode(error?.code)}` }, name), ` ${text}`);
    if (error === undefined) return;
    const violations = detailsOf(error, this.#catalog).flatMap((it) => it.violations);
    if (violations.length > 0) this.#fail(violations.map((it) => it.description).join('; '));
  }

  #receive(message: Message, atMs: number): void {
    const json = toJson(this.#method.output, message, { registry: this.#catalog.registry });
    const result = isObject(json) ? json : {};
    const isFound = isObject(result.user);
    const user = isObject(result.user) ? result.user : isObject(result.missing) ? result.missing : {};
    if (isFound) this.#counts.found++;
    else this.#counts.missing++;
    if (this.#counts.found + this.#counts.missing > maxRows) return;
    this.#waiting.push(
      h(
        'li',
        { class: isFound ? 'user' : 'missing' },
        h('span', { class: 'name' }, String(user.username ?? '')),
        h('span', { class: 'id' }, isFound ? `id ${String(user.userId ?? 0)}` : 'not found'),
        h('span', { class: 'time' }, `+${duration(atMs)}`),
      ),
    );
  }

  #draw(): void {
    this.#found.append(...this.#waiting);
    this.#waiting = [];
  }

  #fail(problem: string | undefined): void {
    put(this.#error, problem);
    if (problem === undefined) this.#names.removeAttribute('aria-invalid');
    else this.#names.setAttribute('aria-invalid', 'true');
  }

  #setRunning(isRunning: boolean): void {
    this.#send.disabled = isRunning;
    this.#cancel.disabled = !isRunning;
  }
}

function namesOf(text: string): string[] {
  return text
    .split('\n')
    .map((it) => it.trim())
    .filter((it) => it !== '');
}

function exampleNames(catalog: Catalog, method: DescMethod): string[] {
  const example = catalog.example(method);
  const users = isObject(example) && Array.isArray(example.user) ? example.user : [];
  return users.filter(isObject).map(({ username }) => (typeof username === 'string' ? username : ''));
}
