import { h, put, svg } from '../dom.ts';

/** How many moments are shown: two minutes, at one a second. */
const maxSamples = 120;
const width = maxSamples - 1;
const height = 40;

/** A line of a chart. */
export interface Line {
  readonly label: string;
  /** Chooses its look: the first is strong, the second quiet. */
  readonly look: 'strong' | 'quiet' | 'bad';
}

/** A moving picture of figures over the last two minutes, with what they are now. */
export class Chart {
  readonly element: HTMLElement;
  readonly #lines: readonly Line[];
  readonly #format: (value: number) => string;
  readonly #samples: (readonly (number | undefined)[])[] = [];
  readonly #picture = svg('svg', {
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  readonly #now = h('div', { class: 'figures' });
  readonly #most = h('span', { class: 'quiet' });
  readonly #title: string;

  constructor(title: string, lines: readonly Line[], format: (value: number) => string) {
    this.#title = title;
    this.#lines = lines;
    this.#format = format;
    this.element = h(
      'div',
      { class: 'chart', role: 'group', 'aria-label': title },
      h('div', { class: 'chart-head' }, h('h2', {}, title), this.#most),
      this.#now,
      this.#picture,
    );
  }

  /** Adds a moment: a value for each line, `undefined` where there is none. */
  add(values: readonly (number | undefined)[]): void {
    this.#samples.push(values);
    if (this.#samples.length > maxSamples) this.#samples.shift();
    const most = Math.max(0, ...this.#samples.flat().map((it) => it ?? 0));
    put(this.#most, most > 0 && `max ${this.#format(most)}`);
    put(
      this.#now,
      ...this.#lines.map(({ label, look }, index) => {
        const value = values[index];
        const text = value === undefined ? '–' : this.#format(value);
        const name = label === '' ? undefined : h('span', { class: 'quiet' }, ` ${label}`);
        return h('span', { class: `figure ${look}` }, h('strong', {}, text), name);
      }),
    );
    const axis = svg('line', { x1: 0, x2: width, y1: height, y2: height, class: 'axis' });
    put(this.#picture, axis, ...this.#lines.flatMap((line, index) => this.#draw(line, index, most)));
    const said = this.#lines.map(
      ({ label }, index) => `${label} ${values[index] === undefined ? 'none' : this.#format(values[index])}`,
    );
    this.#picture.setAttribute(
      'aria-label',
      `${this.#title}, last two minutes: now ${said.join(', ')}, at most ${this.#format(most)}`,
    );
  }

  #draw({ look }: Line, index: number, most: number): SVGElement[] {
    const from = maxSamples - this.#samples.length;
    // Moments without a value end a line; the next begins another.
    const parts: string[][] = [[]];
    for (const [at, values] of this.#samples.entries()) {
      const value = values[index];
      if (value === undefined) parts.push([]);
      else
        parts.at(-1)?.push(`${from + at},${(height - 1 - (value / (most || 1)) * (height - 4)).toFixed(2)}`);
    }
    const drawn = parts.filter((it) => it.length > 0);
    return drawn.flatMap((points) => {
      const line = svg('polyline', { points: points.join(' '), class: `line ${look}` });
      if (look !== 'strong') return [line];
      const first = points[0]?.split(',')[0] ?? 0;
      const last = points.at(-1)?.split(',')[0] ?? 0;
      const area = `${first},${height} ${points.join(' ')} ${last},${height}`;
      return [svg('polygon', { points: area, class: 'area' }), line];
    });
  }
}
