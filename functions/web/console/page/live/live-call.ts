import type { LiveCall } from '../../contract.ts';
import { h } from '../dom.ts';
import { bytes, counted, duration } from '../duration.ts';

/** A call in full: its waterfall, what is known of it, its metadata and its lines in the log. */
export function callDetail(call: LiveCall): HTMLElement {
  return h(
    'div',
    { class: 'call-detail' },
    call.error === undefined ? undefined : h('p', { class: 'message' }, call.error),
    waterfall(call),
    h(
      'div',
      { class: 'call-facts' },
      list('Call', [
        ['protocol', call.protocol],
        ['caller', call.caller ?? ''],
        ['from', call.peer],
        ['deadline', call.deadlineMs === undefined ? 'none' : duration(call.deadlineMs)],
        ['received', `${counted(call.receivedMessages, 'message')}, ${bytes(call.receivedBytes)}`],
        ['sent', `${counted(call.sentMessages, 'message')}, ${bytes(call.sentBytes)}`],
        ['request id', call.requestId],
        ['trace id', call.traceId],
      ]),
      list('Metadata', metadataOf(call)),
    ),
    call.log.length === 0 ? undefined : h('h3', {}, 'Log'),
    call.log.length === 0
      ? undefined
      : h('pre', { tabindex: '0', 'aria-label': 'Log' }, call.log.map((it) => JSON.stringify(it)).join('\n')),
  );
}

/** What callers say themselves first, and then what every browser says. */
function metadataOf({ metadata }: LiveCall): [string, string][] {
  const all = Object.entries(metadata);
  const isOfBrowsers = ([name]: [string, string]) => name.startsWith('sec-');
  return [...all.filter((it) => !isOfBrowsers(it)), ...all.filter(isOfBrowsers)];
}

/** The parts of a call, each where it was in the time of the whole. */
function waterfall({ ms, spans }: LiveCall): HTMLElement {
  const whole = Math.max(ms, ...spans.map((it) => it.startMs + it.ms), 0.001);
  const all = [{ name: 'call', startMs: 0, ms, attributes: {}, error: undefined }, ...spans];
  const rows = all.map(({ name, startMs, ms: lasted, attributes, error }, index) => {
    const bar = h('span', { class: error === undefined ? (index === 0 ? 'bar whole' : 'bar') : 'bar bad' });
    bar.style.marginLeft = `${((startMs / whole) * 100).toFixed(2)}%`;
    bar.style.width = `${Math.max(0.4, (lasted / whole) * 100).toFixed(2)}%`;
    const said = Object.entries(attributes).map(([key, value]) => `${key} ${value}`);
    const more = error === undefined ? said.join(', ') : error;
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, name, more === '' ? undefined : h('span', { class: 'quiet' }, ` ${more}`)),
      h('td', { class: 'track' }, bar),
      h('td', { class: 'number' }, `+${duration(startMs)}`),
      h('td', { class: 'number' }, duration(lasted)),
    );
  });
  const heads = ['Part', 'When', 'From', 'Took'].map((it) => h('th', { scope: 'col' }, it));
  return h('table', { class: 'waterfall' }, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...rows));
}

function list(title: string, pairs: readonly (readonly [string, string])[]): HTMLElement {
  const rows = pairs
    .filter(([, value]) => value !== '')
    .flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
  return h(
    'div',
    {},
    h('h3', {}, title),
    rows.length === 0 ? h('p', { class: 'quiet' }, 'none') : h('dl', {}, ...rows),
  );
}
