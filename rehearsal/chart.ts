/** A line or a row of bars over time. */
export interface Trace {
  readonly name: string;
  /** A class of the style sheet, which gives the colour. */
  readonly style: string;
  readonly shape: 'line' | 'steps' | 'bars';
  /** Seconds from the beginning, and a value. */
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

/** A part of the time that has a name. */
export interface Band {
  readonly label: string;
  readonly title: string;
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly isBad: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly unit: string;
  readonly seconds: number;
  readonly traces: readonly Trace[];
  readonly bands: readonly Band[];
}

const [width, height] = [1000, 190];
const [left, right, top, bottom] = [56, 12, 22, 24];

/** For texts in HTML and SVG. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A picture of values over time, as SVG. */
export function chart({ title, unit, seconds, traces, bands }: ChartProps): string {
  const most = niceCeiling(Math.max(0, ...traces.flatMap((it) => it.points.map(([, value]) => value))) || 1);
  const x = (at: number) => round(left + (at / Math.max(seconds, 1)) * (width - left - right));
  const y = (value: number) => round(height - bottom - (value / most) * (height - top - bottom));
  const parts: string[] = [];
  for (const { label, title: name, fromSeconds, toSeconds, isBad } of bands) {
    const [from, to] = [x(fromSeconds), x(toSeconds)];
    const size = `width="${round(to - from)}" height="${height - top - bottom}"`;
    const tip = `<title>${escapeHtml(name)}</title>`;
    parts.push(`<rect class="band${isBad ? ' bad' : ''}" x="${from}" y="${top}" ${size}>${tip}</rect>`);
    if (to - from > 14)
      parts.push(`<text class="label" x="${from + 3}" y="${top + 11}">${escapeHtml(label)}</text>`);
  }
  for (const part of [0, 0.5, 1]) {
    const at = y(most * part);
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`);
    parts.push(
      `<text class="axis" x="${left - 6}" y="${at + 4}" text-anchor="end">${shorten(most * part)}</text>`,
    );
  }
  const step = niceCeiling(seconds / 8);
  for (let at = 0; at <= seconds; at += step) {
    parts.push(
      `<text class="axis" x="${x(at)}" y="${height - 6}" text-anchor="middle">${shorten(at)} s</text>`,
    );
  }
  for (const trace of traces) parts.push(drawn(trace, x, y));
  const legend = traces
    .map(({ name, style }) => `<tspan class="${style}" dx="14">■ </tspan><tspan>${escapeHtml(name)}</tspan>`)
    .join('');
  const head = `<text class="title" x="${left}" y="14">${escapeHtml(`${title}, ${unit}`)}${legend}</text>`;
  const label = escapeHtml(`${title} over time`);
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${head}${parts.join('')}</svg>`;
}

function drawn(
  { style, shape, points }: Trace,
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  if (shape === 'bars') {
    const bars = points
      .filter(([, value]) => value > 0)
      .map(([at, value]) => `M${x(at)} ${y(0)}V${y(value)}`);
    return `<path class="${style} bars" d="${bars.join('')}"/>`;
  }
  const commands = points.map(([at, value], index) => {
    if (index === 0) return `M${x(at)} ${y(value)}`;
    return shape === 'steps' ? `H${x(at)}V${y(value)}` : `L${x(at)} ${y(value)}`;
  });
  return `<path class="${style} line" d="${commands.join('')}"/>`;
}

const round = (value: number) => Math.round(value * 10) / 10;
const shorten = (value: number) => (value >= 10 ? value.toFixed(0) : String(Number(value.toPrecision(2))));

/** The next of 1, 2, 5, 10, 20, … above a number, which must be more than 0. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((it) => it * power >= value) ?? 10) * power;
}
