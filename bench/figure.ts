/** A figure that was measured in several rounds. */
export interface Figure {
  readonly median: number;
  /** The spread: the lowest and the highest of the rounds. */
  readonly low: number;
  readonly high: number;
}

/** The middle of some values, and how far they spread. */
export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (place: number) => sorted[place] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(0),
    high: at(sorted.length - 1),
  };
}

/** As `57 (55–60)`: with one digit after the point below 10, two below 1. */
export function showFigure({ median, low, high }: Figure): string {
  const show = (value: number) => showNumber(value, median);
  return low === high ? show(median) : `${show(median)} (${show(low)}–${show(high)})`;
}

/** A number with as many digits as one of this size needs. */
export function showNumber(value: number, size = value): string {
  const digits = size < 1 ? 2 : size < 10 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
