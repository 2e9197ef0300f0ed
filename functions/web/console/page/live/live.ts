import type { LiveAnswer, LiveFigures } from '../../contract.ts';
import { h, put } from '../dom.ts';
import { bytes, duration } from '../duration.ts';
import type { Session } from '../session.ts';
import type { Tone } from '../status.ts';
import { Chart } from './chart.ts';
import { LivePoll } from './live-poll.ts';
import { LiveTable } from './live-table.ts';

const rate = (value: number) => `${value >= 10 ? Math.round(value) : value.toFixed(1)}/s`;

/** The view of what happens now. */
export class LiveView {
  readonly element = h('div', { class: 'live' });
  readonly #problem = h('p', { class: 'notice', role: 'alert', hidden: true });
  readonly #facts = h('dl', { class: 'server-facts', 'aria-label': 'The server' });
  readonly #rate = new Chart('Rate', [{ label: '', look: 'strong' }], rate);
  readonly #latency = new Chart(
    'Latency',
    [
      { label: 'p50', look: 'strong' },
      { label: 'p99', look: 'quiet' },
    ],
    duration,
  );
  readonly #failures = new Chart(
    'Failures',
    [
      { label: 'failed', look: 'quiet' },
      { label: 'faults', look: 'bad' },
    ],
    rate,
  );
  readonly #loop = new Chart('Event-loop delay', [{ label: '', look: 'strong' }], duration);
  readonly #table = new LiveTable();
  readonly #poll: LivePoll;
  #before: LiveFigures | undefined;

  constructor(session: Session) {
    const charts = [this.#rate, this.#latency, this.#failures, this.#loop].map((it) => it.element);
    put(
      this.element,
      this.#problem,
      h('div', { class: 'charts' }, ...charts),
      this.#facts,
      this.#table.element,
    );
    this.#poll = new LivePoll(
      session,
      (answer) => this.#receive(answer),
      (problem) => this.#fail(problem),
    );
  }

  /** Begins to ask the server, or ends it. */
  show(isShown: boolean): void {
    this.#poll.show(isShown);
  }

  #fail(problem: string | undefined): void {
    this.#problem.hidden = problem === undefined;
    if (this.#problem.textContent !== (problem ?? '')) put(this.#problem, problem);
    if (problem === undefined) return;
    // What was is not what is.
    this.#before = undefined;
    for (const it of [this.#rate, this.#latency, this.#failures, this.#loop]) it.add([]);
    put(this.#facts, fact('State', 'not known', 'failed'));
  }

  #receive({ calls, missed, figures }: LiveAnswer): void {
    const before = this.#before;
    this.#before = figures;
    // The first answer has no time to count over; a server that started anew counts from 0.
    const seconds = before === undefined ? 0 : (figures.atMs - before.atMs) / 1000;
    const since = (of: 'ended' | 'failed' | 'faults') =>
      before === undefined || seconds <= 0 ? undefined : Math.max(0, figures[of] - before[of]) / seconds;
    this.#rate.add([since('ended')]);
    this.#latency.add([figures.p50Ms, figures.p99Ms]);
    this.#failures.add([since('failed'), since('faults')]);
    this.#loop.add([figures.eventLoopDelayMs]);
    put(this.#facts, ...factsOf(figures));
    this.#table.add(calls, before === undefined ? 0 : missed);
  }
}

function fact(name: string, value: string, tone?: Tone): HTMLElement {
  return h('div', { class: 'fact' }, h('dt', {}, name), h('dd', { class: tone }, value));
}

function stateOf({ isDraining, store }: LiveFigures): HTMLElement {
  if (isDraining) return fact('State', 'draining', 'failed');
  return store.trouble === undefined ? fact('State', 'serving', 'ok') : fact('State', 'not ready', 'fault');
}

function factsOf(figures: LiveFigures): HTMLElement[] {
  const { store } = figures;
  return [
    fact(
      'Store',
      store.trouble === undefined ? store.kind : `${store.kind}: ${store.trouble}`,
      store.trouble === undefined ? 'ok' : 'fault',
    ),
    stateOf(figures),
    fact('In flight', String(figures.inFlight)),
    fact('Connections', String(figures.connections)),
    fact('Event loop', `${Math.round(figures.eventLoopUtilization * 100)} % busy`),
    fact('Heap', bytes(figures.heapBytes)),
    fact('Held by calls', bytes(figures.heldBytes)),
  ];
}
