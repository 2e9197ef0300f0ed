import type { Subject } from '../subjects.ts';
import type { OverloadRow } from './measure.ts';

const width = 720;
const height = 400;
const [left, right, top, bottom] = [56, 190, 48, 48];
const mostAsked = 5;
const colours = ['#2f6fde', '#b9722f', '#7a8699', '#3a8f5a'];

/** Draws what of the asked is answered in time, a line for each server, as SVG. */
export function overloadPicture(rows: readonly OverloadRow[]): string {
  const x = (factor: number) => left + (factor / mostAsked) * (width - left - right);
  const y = (part: number) => height - bottom - part * (height - top - bottom);
  const parts: string[] = [];
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const at = y(part).toFixed(1);
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`);
    parts.push(text(left - 8, y(part) + 4, `${part * 100} %`, 'end'));
  }
  for (const factor of [1, 2, 3, 4, 5])
    parts.push(text(x(factor), height - bottom + 20, `× ${factor}`, 'middle'));
  const ideal = [0, 1, mostAsked].map(
    (factor) => `${x(factor).toFixed(1)},${y(Math.min(1, factor)).toFixed(1)}`,
  );
  parts.push(`<polyline class="ideal" points="${ideal.join(' ')}"/>`);
  const subjects = [...new Set(rows.map((it): Subject => it.subject))];
  const ends: number[] = [];
  for (const [index, subject] of subjects.entries()) {
    const own = rows.filter((it) => it.subject === subject);
    const colour = colours[index % colours.length];
    const points = own.map((it) => `${x(it.factor).toFixed(1)},${y(it.goodPart.median).toFixed(1)}`);
    parts.push(`<polyline points="${points.join(' ')}" stroke="${colour}"/>`);
    for (const it of own) {
      const [cx, cy] = [x(it.factor).toFixed(1), y(it.goodPart.median).toFixed(1)];
      parts.push(`<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/>`);
    }
    // Names of lines that end together stand below each other.
    let at = y(own.at(-1)?.goodPart.median ?? 0) + 4;
    while (ends.some((other) => Math.abs(other - at) < 16)) at -= 16;
    ends.push(at);
    parts.push(text(width - right + 8, at, subject.title, 'start', colour));
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Calls answered in time under more load than a server can do">
<style>
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600 }
  polyline { fill: none; stroke-width: 2 }
  .grid { stroke: #e3e6eb }
  .ideal { stroke: #222; stroke-width: 1; stroke-dasharray: 4 4 }
</style>
<rect width="${width}" height="${height}" fill="#fff"/>
<text class="title" x="16" y="26">Calls answered within 100 ms, as a part of what the server can do; across: what is asked of it</text>
${parts.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, anchor: string, colour = '#222'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" style="fill: ${colour}">${content}</text>`;
}
