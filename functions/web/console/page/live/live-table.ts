import type { LiveCall } from '../../contract.ts';
import { h, put } from '../dom.ts';
import { counted, duration } from '../duration.ts';
import { toneOf } from '../status.ts';
import { callDetail } from './live-call.ts';

/** How many calls are kept, and how many of them have a row. */
const maxCalls = 500;
const maxRows = 100;

/** Calls as they end, the latest first; each opens. */
export class LiveTable {
  readonly element = h('section', { class: 'calls', 'aria-label': 'Calls' });
  readonly #body = h('tbody');
  readonly #note = h('p', { class: 'quiet', role: 'status' });
  readonly #text = h('input', {
    type: 'search',
    placeholder: 'method, caller, request id…',
    'aria-label': 'Filter by text',
  });
  readonly #status = h(
    'select',
    { 'aria-label': 'Filter by status' },
    h('option', { value: '' }, 'every status'),
    h('option', { value: 'ok' }, 'OK'),
    h('option', { value: 'failed' }, 'failed'),
    h('option', { value: 'fault' }, 'fault of the server'),
  );
  readonly #pause = h('button', { type: 'button' }, 'Pause');
  /** The latest first. */
  #calls: LiveCall[] = [];
  /** Those that came while the table stood still, the latest first. */
  #waiting: LiveCall[] = [];
  #missed = 0;
  #isPaused = false;

  constructor() {
    this.#text.addEventListener('input', () => this.#rebuild());
    this.#status.addEventListener('change', () => this.#rebuild());
    this.#pause.addEventListener('click', () => this.#toggle());
    const heads = ['Ended', 'Method', 'Caller', 'Status'].map((it) => h('th', { scope: 'col' }, it));
    const time = h(
      'th',
      { scope: 'col', title: 'The bars are logarithmic: from 0.1 ms to 10 s, each power of ten as wide' },
      'Time (bars: log scale)',
    );
    const table = h('table', {}, h('thead', {}, h('tr', {}, ...heads, time)), this.#body);
    const head = h(
      'div',
      { class: 'section-head' },
      h('h2', {}, 'Calls'),
      this.#text,
      this.#status,
      this.#pause,
    );
    put(
      this.element,
      head,
      this.#note,
      h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Table of calls' }, table),
    );
    this.#say();
  }

  /** Adds calls, the oldest first. */
  add(calls: readonly LiveCall[], missed: number): void {
    this.#missed += missed;
    // After a failure all are told again.
    const known = new Set([...this.#calls, ...this.#waiting].map(keyOf));
    const latest = calls.filter((it) => !known.has(keyOf(it))).reverse();
    if (this.#isPaused) {
      this.#waiting = [...latest, ...this.#waiting].slice(0, maxCalls);
    } else {
      this.#calls = [...latest, ...this.#calls].slice(0, maxCalls);
      // Rows that are there stay there, so that an open one stays open and keeps the focus.
      const rows = latest.filter((it) => this.#matches(it)).slice(0, maxRows);
      this.#body.prepend(...rows.flatMap(rowsOf));
      while (this.#body.querySelectorAll('tr.call').length > maxRows) this.#body.lastElementChild?.remove();
    }
    this.#say();
  }

  #toggle(): void {
    this.#isPaused = !this.#isPaused;
    put(this.#pause, this.#isPaused ? 'Resume' : 'Pause');
    if (!this.#isPaused) {
      const waiting = this.#waiting.reverse();
      this.#waiting = [];
      this.add(waiting, 0);
    }
    this.#say();
  }

  #matches(call: LiveCall): boolean {
    if (this.#status.value !== '' && this.#status.value !== toneOf(call)) return false;
    const { method, caller, status, peer, requestId, traceId, protocol, error } = call;
    const words = this.#text.value.toLowerCase().split(/\s+/);
    const text = [method, caller, status, peer, requestId, traceId, protocol, error].join(' ').toLowerCase();
    return words.every((it) => text.includes(it));
  }

  #rebuild(): void {
    const rows = this.#calls.filter((it) => this.#matches(it)).slice(0, maxRows);
    put(this.#body, ...rows.flatMap(rowsOf));
    this.#say();
  }

  #say(): void {
    const isFiltered = this.#text.value !== '' || this.#status.value !== '';
    const rows = this.#body.querySelectorAll('tr.call').length;
    const text =
      this.#calls.length === 0
        ? 'No call has ended yet.'
        : isFiltered
          ? `${rows} of the latest ${counted(this.#calls.length, 'call')}`
          : this.#missed > 0
            ? `${counted(this.#missed, 'call')} came too fast to be shown.`
            : '';
    const waiting = this.#isPaused ? `Paused: ${counted(this.#waiting.length, 'call')} since.` : '';
    const said = [text, waiting].filter((it) => it !== '').join(' ');
    if (this.#note.textContent !== said) put(this.#note, said);
  }
}

/** A server that was started anew counts anew, and clients choose the ids of requests: both together name a call. */
function keyOf({ seq, requestId, startedAtMs }: LiveCall): string {
  return `${seq} ${startedAtMs} ${requestId}`;
}

/** The row of a call, and the one below it that holds the rest once it is open. */
function rowsOf(call: LiveCall): HTMLElement[] {
  const detail = h('tr', { class: 'detail-row', hidden: true }, h('td', { colspan: 5 }));
  const open = h(
    'button',
    { type: 'button', class: 'open', 'aria-expanded': 'false' },
    call.method.replace(/^\//, ''),
  );
  const toggle = () => {
    detail.hidden = !detail.hidden;
    open.setAttribute('aria-expanded', String(!detail.hidden));
    // Made when it is wanted: most are never opened.
    if (!detail.hidden && detail.firstElementChild) put(detail.firstElementChild, callDetail(call));
  };
  const bar = h('span', { class: 'bar' });
  // From 0.1 ms to 10 s, each power of ten as wide as the others.
  bar.style.width = `${Math.min(100, Math.max(2, (Math.log10(Math.max(call.ms, 0.1) * 10) / 5) * 100)).toFixed(1)}%`;
  const row = h(
    'tr',
    { class: 'call' },
    h('td', { class: 'number ended' }, timeOf(call.startedAtMs + call.ms)),
    h('td', { class: 'name' }, open),
    h('td', { class: 'caller' }, call.caller ?? h('span', { class: 'quiet number' }, call.peer)),
    h('td', { class: 'state' }, h('span', { class: `status ${toneOf(call)}` }, call.status)),
    h(
      'td',
      { class: 'took' },
      h('span', { class: 'number' }, duration(call.ms)),
      h('span', { class: 'track' }, bar),
    ),
  );
  row.addEventListener('click', () => {
    // Who selects a text of the row wants that.
    if (getSelection()?.isCollapsed !== false) toggle();
  });
  return [row, detail];
}

function timeOf(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  const thousandths = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}
