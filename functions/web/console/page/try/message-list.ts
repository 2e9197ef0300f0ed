import { type DescMessage, type Message, toJsonString } from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { h, put } from '../dom.ts';
import { counted, duration } from '../duration.ts';

/** How many messages are shown: the first ones, and the latest. Those between are counted, and forgotten. */
const maxFirst = 50;
const maxLatest = 150;
/** How much of a message is shown. */
const maxMessageCharacters = 20_000;

interface Arrived {
  readonly message: Message;
  readonly atMs: number;
  readonly index: number;
}

/**
 * The messages of a stream as they arrive, each with its time. However many come, a bounded number is kept and shown.
 */
export class MessageList {
  readonly element = h('div', { class: 'messages' });
  readonly #first = h('ol', { 'aria-label': 'Messages' });
  readonly #gap = h('p', { class: 'gap quiet' });
  readonly #latest = h('ol', { 'aria-label': 'Latest messages' });
  readonly #desc: DescMessage;
  readonly #catalog: Catalog;
  readonly #isSingle: boolean;
  #waiting: Arrived[] = [];
  #count = 0;

  /** @param isSingle whether there is one message alone, which has room for lines */
  constructor(desc: DescMessage, catalog: Catalog, isSingle: boolean) {
    this.#isSingle = isSingle;
    this.#desc = desc;
    this.#catalog = catalog;
  }

  /** How many have come. */
  get count(): number {
    return this.#count;
  }

  /** Takes a message. It is shown by the next `draw`. */
  add(message: Message, atMs: number): void {
    const arrived = { message, atMs, index: this.#count++ };
    this.#waiting.push(arrived);
    // Of those that wait, only the first and the latest will be shown.
    if (this.#waiting.length > 2 * (maxFirst + maxLatest)) {
      const first = this.#waiting.filter((it) => it.index < maxFirst);
      this.#waiting = [...first, ...this.#waiting.slice(-maxLatest)];
    }
  }

  /** Shows what has come since. */
  draw(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#first.append(...waiting.filter((it) => it.index < maxFirst).map((it) => this.#row(it)));
    const later = waiting.filter((it) => it.index >= maxFirst).slice(-maxLatest);
    this.#latest.append(...later.map((it) => this.#row(it)));
    while (this.#latest.childElementCount > maxLatest) this.#latest.firstElementChild?.remove();
    const left = this.#count - this.#first.childElementCount - this.#latest.childElementCount;
    const text = `${counted(left, 'message')} not shown: the first ${maxFirst} and the latest ${maxLatest} are.`;
    put(this.#gap, left > 0 ? text : undefined);
    const hasLatest = this.#latest.childElementCount > 0;
    if (this.element.childElementCount === 0 && this.#count > 0) this.element.append(this.#first);
    if (hasLatest && this.#latest.parentElement === null) this.element.append(this.#gap, this.#latest);
  }

  #row({ message, atMs, index }: Arrived): HTMLElement {
    const { registry } = this.#catalog;
    const pretty = toJsonString(this.#desc, message, { registry, prettySpaces: 2 });
    // In a list each is a line; texts have no line breaks of their own in JSON.
    const text = this.#isSingle ? pretty : pretty.replace(/\n */g, ' ');
    const more = text.length - maxMessageCharacters;
    const shown =
      more > 0 ? `${text.slice(0, maxMessageCharacters)}… ${counted(more, 'character')} more` : text;
    const time = h('span', { class: 'time' }, `+${duration(atMs)}`);
    return h(
      'li',
      { value: index + 1 },
      h('span', { class: 'index' }, index + 1),
      time,
      h('code', {}, shown),
    );
  }
}
