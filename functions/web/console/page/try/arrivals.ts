import { put, svg } from '../dom.ts';
import { duration } from '../duration.ts';

/** How many columns the picture has: times that share one make it higher. */
const columns = 160;
const height = 36;

/** A picture of when the messages of a call arrived: a column a moment, the higher the more came in it. */
export class Arrivals {
  readonly element = svg('svg', {
    class: 'arrivals',
    viewBox: `0 0 ${columns} ${height}`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  /** By column of `#spanMs`. When a call lasts longer than they span, two and two become one. */
  #counts: number[] = new Array(columns).fill(0);
  #spanMs = 16;
  #count = 0;
  #lastMs = 0;

  /** Counts a message that came. Draw afterwards. */
  add(atMs: number): void {
    while (atMs >= this.#spanMs) this.#widen();
    const column = Math.floor((atMs / this.#spanMs) * columns);
    this.#counts[column] = (this.#counts[column] ?? 0) + 1;
    this.#count++;
    this.#lastMs = atMs;
  }

  /** Draws what came in the time until now. */
  draw(nowMs: number): void {
    while (nowMs >= this.#spanMs) this.#widen();
    // The picture ends with the call, not with the next power of two.
    const shown = Math.max(1, Math.ceil((Math.max(nowMs, this.#lastMs) / this.#spanMs) * columns));
    const most = Math.max(1, ...this.#counts);
    const bars = this.#counts.slice(0, shown).flatMap((count, index) => {
      if (count === 0) return [];
      const high = Math.max(6, Math.sqrt(count / most) * (height - 4));
      const width = Math.max(0.7, shown / columns);
      return [
        svg('rect', { x: index, y: height - high, width: width * 0.8, height: high, class: 'arrival' }),
      ];
    });
    this.element.setAttribute('viewBox', `0 0 ${shown} ${height}`);
    const words = `${this.#count} ${this.#count === 1 ? 'message' : 'messages'} in ${duration(nowMs)}`;
    this.element.setAttribute('aria-label', words);
    put(this.element, svg('line', { x1: 0, x2: shown, y1: height, y2: height, class: 'axis' }), ...bars);
  }

  #widen(): void {
    const halves = this.#counts;
    this.#counts = halves.map((_, index) => (halves[2 * index] ?? 0) + (halves[2 * index + 1] ?? 0));
    this.#spanMs *= 2;
  }
}
