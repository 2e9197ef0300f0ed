import { showNumber } from './figure.ts';
import type { Row } from './measure.ts';

const width = 720;
const nameWidth = 150;
const barHeight = 18;
const gap = 6;
const titleHeight = 40;

/** Draws the CPU time of each server under each load as bars, with the spread as a line, as SVG. */
export function picture(rows: readonly Row[]): string {
  const loads = [...new Set(rows.map((it) => it.load))];
  const parts: string[] = [];
  let y = 16;
  for (const load of loads) {
    const own = rows.filter((it) => it.load === load);
    const one = load.path === '/Users/GetUsers' ? 'message' : 'call';
    parts.push(text(16, y + 16, `${load.title}: CPU µs a ${one}`, 'title'));
    y += titleHeight - 12;
    const scale = (width - nameWidth - 90) / Math.max(...own.map((it) => it.cpuMicros.high));
    for (const { subject, cpuMicros } of own) {
      const { median, low, high } = cpuMicros;
      const middle = y + barHeight / 2;
      const at = (value: number) => nameWidth + value * scale;
      const kind = subject.title.startsWith('ours') ? 'ours' : 'other';
      parts.push(
        text(nameWidth - 8, middle + 4, subject.title, 'name'),
        `<rect class="${kind}" x="${nameWidth}" y="${y}" width="${length(median * scale)}" height="${barHeight}"/>`,
        `<line x1="${length(at(low))}" x2="${length(at(high))}" y1="${middle}" y2="${middle}"/>`,
        text(at(high) + 8, middle + 4, showNumber(median), 'value'),
      );
      y += barHeight + gap;
    }
    y += 16;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="CPU time of each server">
<style>
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600 }
  .name { text-anchor: end }
  .ours { fill: #2f6fde }
  .other { fill: #b9c0cb }
  line { stroke: #222; stroke-width: 1.5 }
</style>
<rect width="${width}" height="${y}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, kind: string): string {
  return `<text class="${kind}" x="${length(x)}" y="${length(y)}">${content}</text>`;
}

function length(value: number): string {
  return value.toFixed(1);
}
