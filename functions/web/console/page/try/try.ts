import type { DescMethod, JsonValue } from '@bufbuild/protobuf';
import { type Catalog, pathOf } from '../catalog.ts';
import { h, put } from '../dom.ts';
import type { Session } from '../session.ts';
import type { Filled, Link } from './link.ts';
import { MethodList } from './method-list.ts';
import { MethodView } from './method-view.ts';

/** The view in which methods are tried. */
export class TryView {
  readonly element = h('div', { class: 'try' });
  readonly #catalog: Catalog;
  readonly #session: Session;
  readonly #list: MethodList;
  readonly #main = h('div', { class: 'method' });
  /** What was typed for each method, so that nobody loses it by looking at another. */
  readonly #typed = new Map<DescMethod, Filled>();
  #shown: MethodView | undefined;

  constructor(catalog: Catalog, session: Session) {
    this.#catalog = catalog;
    this.#session = session;
    this.#list = new MethodList(catalog);
    put(this.element, this.#list.element, this.#main);
    session.watch(() => this.#shown?.refresh());
    document.addEventListener('keydown', (event) => this.#shortcut(event));
  }

  /**
   * Shows the method of a path, or the first one, with what a link filled in. A link that asks for something else gets
   * a notice, and nothing that could be sent.
   */
  show({ view, path, filled, problem }: Link): void {
    if (view !== 'try' && view !== '') return this.#refuse(`There is no view ${view}.`);
    // Who comes back finds what was there.
    const first = this.#shown?.method ?? this.#catalog.services[0]?.methods[0];
    const method = path === '' ? first : this.#catalog.method(path);
    if (method === undefined)
      return this.#refuse(
        path === '' ? 'This server has no services.' : `There is no method ${path.slice(1)}.`,
      );
    if (problem !== undefined) return this.#refuse(problem, method);
    if (this.#shown?.method === method && filled.request === undefined) return;
    this.leave();
    this.#list.mark(pathOf(method));
    const example: JsonValue = this.#catalog.example(method);
    const start: Filled = { request: example, protocol: 'connect', deadline: '', metadata: [] };
    const typed = this.#typed.get(method);
    this.#shown = new MethodView(method, this.#catalog, this.#session);
    this.#shown.show({ ...start, ...(filled.request === undefined ? typed : filled) });
    put(this.#main, this.#shown.element);
    // Far down in one request is nowhere in the next.
    scrollTo(0, 0);
  }

  /** Keeps what was typed, and ends a call that runs. */
  leave(): void {
    if (this.#shown === undefined) return;
    this.#typed.set(this.#shown.method, this.#shown.filled);
    this.#shown.cancel();
    this.#shown = undefined;
  }

  #refuse(problem: string, method?: DescMethod): void {
    this.leave();
    this.#list.mark('');
    const more =
      method && h('p', {}, h('a', { href: `#/try${pathOf(method)}` }, `Show ${method.name} without it`));
    put(this.#main, h('div', { class: 'notice', role: 'alert' }, h('p', {}, problem), more));
  }

  #shortcut(event: KeyboardEvent): void {
    if (this.element.hidden || !this.element.isConnected) return;
    if (event.key === 'Escape') this.#shown?.cancel();
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void this.#shown?.send();
  }
}
