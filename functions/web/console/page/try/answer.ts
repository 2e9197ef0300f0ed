import type { DescMethod, Message } from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { h, put } from '../dom.ts';
import { counted, duration } from '../duration.ts';
import { statusName, toneOfCode } from '../status.ts';
import { Arrivals } from './arrivals.ts';
import type { CallEnd, CallListener } from './call.ts';
import { type Detail, detailsOf } from './error-details.ts';
import { MessageList } from './message-list.ts';

/** How often what came is shown: often enough to see a stream move, seldom enough for any number of messages. */
const drawEveryMs = 60;

/** What a call brings, as it comes: status, picture, messages, headers, trailers, details. */
export class Answer implements CallListener {
  readonly element = h('div', { class: 'answer' });
  readonly #status = h('div', { class: 'status-line' }, h('span', { class: 'status running' }, 'Waiting'));
  readonly #facts = h('span', { class: 'facts' });
  readonly #end = h('div', { class: 'end' });
  readonly #arrivals = new Arrivals();
  readonly #headers = h('div');
  readonly #messages: MessageList;
  readonly #method: DescMethod;
  readonly #catalog: Catalog;
  readonly #sentAtMs = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(method: DescMethod, catalog: Catalog) {
    this.#method = method;
    this.#catalog = catalog;
    const isStream = method.methodKind === 'server_streaming';
    this.#messages = new MessageList(method.output, catalog, !isStream);
    const picture = isStream ? this.#arrivals.element : undefined;
    put(this.element, h('div', { class: 'answer-head' }, this.#status, this.#facts), picture, this.#end);
    this.element.append(this.#messages.element, this.#headers);
    this.#draw();
  }

  /** The headers have come. */
  header(header: Headers): void {
    put(this.#headers, pairs('Headers', header));
  }

  /** A message has come. */
  message(message: Message, atMs: number): void {
    this.#messages.add(message, atMs);
    this.#arrivals.add(atMs);
  }

  /** The call is over. Returns what the error says of fields of the request. */
  ended({ error, trailer, ms }: CallEnd): Detail['violations'] {
    clearTimeout(this.#timer);
    this.#show(ms);
    const name = statusName(error?.code);
    put(
      this.#status,
      h('span', { class: `status ${toneOfCode(error?.code)}` }, name),
      error === undefined ? undefined : h('span', { class: 'code' }, `code ${error.code}`),
    );
    if (error !== undefined) {
      const details = detailsOf(error, this.#catalog);
      put(this.#end, h('p', { class: 'message' }, error.rawMessage), ...details.map(detailBox));
      this.#headers.append(pairs('Headers and trailers', trailer));
      return details.flatMap(({ violations }) => violations);
    }
    this.#headers.append(pairs('Trailers', trailer));
    return [];
  }

  /** How many messages have come. */
  get count(): number {
    return this.#messages.count;
  }

  #draw(): void {
    this.#show(performance.now() - this.#sentAtMs);
    this.#timer = setTimeout(() => this.#draw(), drawEveryMs);
  }

  #show(ms: number): void {
    this.#messages.draw();
    this.#arrivals.draw(ms);
    const { count } = this.#messages;
    const came = this.#method.methodKind === 'server_streaming' ? `${counted(count, 'message')} · ` : '';
    put(this.#facts, came, duration(ms));
  }
}

function pairs(title: string, headers: Headers): HTMLElement {
  const entries = [...headers];
  const summary = h('summary', {}, title, ' ', h('span', { class: 'quiet' }, entries.length));
  const rows = entries.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
  return h(
    'details',
    { class: 'pairs' },
    summary,
    entries.length === 0 ? h('p', { class: 'quiet' }, 'none') : h('dl', {}, ...rows),
  );
}

function detailBox({ type, sentence, json, violations }: Detail): HTMLElement {
  const short = type.replace(/^google\.rpc\./, '');
  const list = violations.map(({ field, description }) =>
    h('li', {}, h('code', {}, field), ' ', description),
  );
  const hasMore =
    sentence === undefined || Object.keys(typeof json === 'object' && json ? json : {}).length > 1;
  return h(
    'div',
    { class: 'detail' },
    h('h4', { title: type }, short),
    sentence === undefined ? undefined : h('p', {}, sentence),
    list.length > 0 ? h('ul', {}, ...list) : undefined,
    hasMore && list.length === 0 && short !== 'ErrorInfo'
      ? h(
          'pre',
          { tabindex: '0', 'aria-label': short },
          typeof json === 'string' ? json : JSON.stringify(json, null, 2),
        )
      : undefined,
    short === 'ErrorInfo' ? metadataOf(json) : undefined,
  );
}

function metadataOf(json: Detail['json']): HTMLElement | undefined {
  const metadata =
    typeof json === 'object' && json !== null && !Array.isArray(json) ? json.metadata : undefined;
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  const rows = Object.entries(metadata).flatMap(([name, value]) => [
    h('dt', {}, name),
    h('dd', {}, String(value)),
  ]);
  return h('dl', {}, ...rows);
}
