import { type Catalog, pathOf } from '../catalog.ts';
import { h } from '../dom.ts';

/** How a method streams, in a word. */
const tags = {
  unary: undefined,
  server_streaming: 'stream',
  client_streaming: 'upload',
  bidi_streaming: 'bidi',
} as const;

/** The services and their methods, as links. Arrow keys move between them. */
export class MethodList {
  readonly element: HTMLElement;

  constructor(catalog: Catalog) {
    const services = catalog.services.map((service) => {
      const methods = service.methods.map((method) =>
        h(
          'li',
          {},
          h(
            'a',
            { href: `#/try${pathOf(method)}`, 'data-path': pathOf(method) },
            h('span', {}, method.name),
            method.methodKind === 'unary' ? undefined : h('span', { class: 'tag' }, tags[method.methodKind]),
          ),
        ),
      );
      const comment = catalog.comment(service);
      return h(
        'section',
        {},
        h('h2', { title: comment }, ...breakable(service.typeName)),
        h('ul', {}, ...methods),
      );
    });
    this.element = h('nav', { class: 'methods', 'aria-label': 'Methods' }, ...services);
    this.element.addEventListener('keydown', (event) => this.#move(event));
  }

  /** Marks the method that is shown. */
  mark(path: string): void {
    for (const link of this.element.querySelectorAll('a')) {
      if (link.dataset.path === path) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  #move(event: KeyboardEvent): void {
    const links = [...this.element.querySelectorAll('a')];
    const at = links.findIndex((it) => it.matches(':focus'));
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    links[Math.min(links.length - 1, Math.max(0, next))]?.focus();
  }
}

/** A name that may break after its dots. */
function breakable(name: string): (string | HTMLElement)[] {
  return name.split(/(?<=\.)/).flatMap((part) => [part, h('wbr')]);
}
