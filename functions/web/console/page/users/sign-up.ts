import type { DescMethod } from '@bufbuild/protobuf';
import { toJson } from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { h, newId, put } from '../dom.ts';
import type { Session } from '../session.ts';
import { statusName, toneOfCode } from '../status.ts';
import { makeCall } from '../try/call.ts';
import { detailsOf } from '../try/error-details.ts';
import { isObject } from '../try/json-text.ts';

/** More than a server takes for it, with its hash. */
const deadlineMs = 30_000;

/** Signs a user up; what the server finds wrong is said at the field. */
export class SignUp {
  readonly element = h('form', { class: 'panel', 'aria-label': 'Sign up', novalidate: true });
  readonly #said = h('p', { class: 'outcome', role: 'status' });
  readonly #button = h('button', { type: 'submit', class: 'primary' }, 'Sign up');
  readonly #fields = {
    username: field('username', 'Username', {
      autocomplete: 'username',
      spellcheck: 'false',
      autocapitalize: 'none',
    }),
    email: field('email', 'Email', { type: 'email', autocomplete: 'email' }, 'optional'),
    password: field('password', 'Password', { type: 'password', autocomplete: 'new-password' }, 'optional'),
  };
  readonly #method: DescMethod;
  readonly #catalog: Catalog;
  readonly #session: Session;
  readonly #signedUp: (name: string) => void;
  /** Makes a repeat of the same sign-up safe; the next one has another. */
  #requestId = newRequestId();
  #isRunning = false;

  /** @param signedUp is told the names of those who were */
  constructor(method: DescMethod, catalog: Catalog, session: Session, signedUp: (name: string) => void) {
    this.#method = method;
    this.#catalog = catalog;
    this.#session = session;
    this.#signedUp = signedUp;
    const rows = Object.values(this.#fields).map((it) => it.element);
    put(
      this.element,
      h('h2', {}, 'Sign up'),
      ...rows,
      h('div', { class: 'actions' }, this.#button),
      this.#said,
    );
    for (const { input } of Object.values(this.#fields)) {
      input.addEventListener('input', () => {
        this.#requestId = newRequestId();
      });
    }
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#button.disabled = true;
    const { username, email, password } = this.#fields;
    for (const it of Object.values(this.#fields)) it.show(undefined);
    put(this.#said, 'Signing up…');
    const request = {
      username: username.input.value,
      email: email.input.value,
      password: password.input.value,
      requestId: this.#requestId,
    };
    let said = '';
    const { error } = await makeCall(
      {
        method: this.#method,
        request,
        protocol: 'connect',
        metadata: [],
        deadlineMs,
        signal: new AbortController().signal,
      },
      this.#catalog,
      this.#session,
      {
        header() {},
        message: (message) => {
          const json = toJson(this.#method.output, message, { registry: this.#catalog.registry });
          const user = isObject(json) && isObject(json.user) ? json.user : {};
          said = `${String(user.username)} is signed up, with the id ${String(user.userId)}.`;
        },
      },
    );
    this.#isRunning = false;
    this.#button.disabled = false;
    if (error === undefined) {
      put(this.#said, h('span', { class: 'status ok' }, 'OK'), ` ${said}`);
      this.#signedUp(request.username);
      for (const { input } of Object.values(this.#fields)) input.value = '';
      this.#requestId = newRequestId();
      return;
    }
    const details = detailsOf(error, this.#catalog);
    const violations = details.flatMap((it) => it.violations);
    for (const { field: name, description } of violations) {
      Object.entries(this.#fields)
        .find(([own]) => own === name)?.[1]
        .show(description);
    }
    // "the username is taken" names its field by its reason alone.
    if (error.rawMessage.startsWith('the username '))
      username.show(error.rawMessage.replace('the username ', ''));
    if (error.rawMessage.startsWith('the email ')) email.show(error.rawMessage.replace('the email ', ''));
    const name = statusName(error.code);
    put(this.#said, h('span', { class: `status ${toneOfCode(error.code)}` }, name), ` ${error.rawMessage}`);
    this.element.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }
}

function field(name: string, label: string, attributes: Record<string, string>, note?: string) {
  const id = newId(name);
  const input = h('input', { id, name, 'aria-describedby': `${id}-error`, ...attributes });
  const error = h('p', { class: 'error', id: `${id}-error` });
  const said = note === undefined ? undefined : h('span', { class: 'type' }, ` ${note}`);
  const element = h(
    'div',
    { class: 'field' },
    h('div', { class: 'field-head' }, h('label', { for: id }, label, said)),
    input,
    error,
  );
  const show = (text: string | undefined) => {
    put(error, text);
    if (text === undefined) input.removeAttribute('aria-invalid');
    else input.setAttribute('aria-invalid', 'true');
  };
  return { element, input, show };
}

/** `crypto.randomUUID` is missing where the page came over plain HTTP from another machine. */
function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((it) => it.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
