type Listener<E extends Event = Event> = (event: E) => void;

/**
 * Attributes of an element, and its listeners. `false` and `undefined` leave an attribute out; `true` makes it empty.
 */
export interface Attributes {
  readonly on?: { readonly [K in keyof HTMLElementEventMap]?: Listener<HTMLElementEventMap[K]> };
  readonly [name: string]: string | number | boolean | undefined | object;
}

/** What an element can hold. Text becomes a text node, never markup; `undefined` and `false` are nothing. */
export type Child = Node | string | number | false | undefined;

/** Makes an element of HTML. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an element of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** Replaces what an element holds. */
export function put(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...children.filter(isShown).map(nodeOf));
}

/** The element of the page with this id. @throws Error if the page has none */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

let lastId = 0;

/** An id that no other element has, for labels and descriptions. */
export function newId(prefix: string): string {
  lastId++;
  return `${prefix}-${lastId}`;
}

function fill<E extends Element>(element: E, { on, ...rest }: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [name, listener] of Object.entries(on ?? {})) {
    // Each listener takes the event of its name: the type of `on` says so.
    element.addEventListener(name, listener as Listener);
  }
  put(element, ...children);
  return element;
}

function isShown(child: Child): child is Node | string | number {
  return child !== undefined && child !== false;
}

function nodeOf(child: Node | string | number): Node {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
