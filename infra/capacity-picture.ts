import { type Dollars, needsOf } from './capacity-model.ts';
import { capacityWalls } from './capacity-walls.ts';

const width = 720;
const height = 420;
const left = 90;
const right = 110;
const top = 30;
const bottom = 50;

/** Powers of ten at both ends of the axes: calls a second, dollars a month. */
const calls = { from: 0, to: 6 };
const dollars = { from: 0, to: 6 };
const users = 1e7;

const x = (value: number) =>
  left + ((Math.log10(value) - calls.from) / (calls.to - calls.from)) * (width - left - right);
const y = (value: number) =>
  height -
  bottom -
  ((Math.log10(value) - dollars.from) / (dollars.to - dollars.from)) * (height - top - bottom);
const px = (value: number) => value.toFixed(1);

/** Each line with its name, its colour and its dashes: by either, they can be told apart. */
const parts: readonly (readonly [keyof Dollars, name: string, color: string, dashes: string])[] = [
  ['total', 'in all', '#2f6fde', 'none'],
  ['log', 'log', '#7c3aed', 'none'],
  ['reads', 'reads', '#0f766e', '8 3'],
  ['writes', 'writes', '#b45309', '2 3'],
  ['tasks', 'tasks', '#be185d', '8 3 2 3'],
  ['balancer', 'balancer', '#4b5563', '5 5'],
];

/** Draws what a month costs by calls a second, and the walls on the way, both axes by powers of ten, as SVG. */
export function capacityPicture(): string {
  const drawn = [...axes(), ...walls(), ...lines()];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Dollars a month by calls a second, and the walls on the way">
<style>
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .grid { stroke: #e3e6eb }
  .wall { stroke: #c2410c; stroke-dasharray: 4 3 }
  .number { fill: #c2410c; text-anchor: middle }
  .y { text-anchor: end }
  .x { text-anchor: middle }
  polyline { fill: none; stroke-width: 1.8 }
  .total { stroke-width: 3 }
  .name { font-weight: 600 }
</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${drawn.join('\n')}
</svg>
`;
}

function axes(): string[] {
  const result: string[] = [];
  for (let power = calls.from; power <= calls.to; power += 1) {
    const at = px(x(10 ** power));
    result.push(`<line class="grid" x1="${at}" x2="${at}" y1="${top}" y2="${height - bottom}"/>`);
    result.push(text(x(10 ** power), height - bottom + 18, (10 ** power).toLocaleString('en-US'), 'x'));
  }
  for (let power = dollars.from; power <= dollars.to; power += 1) {
    const at = px(y(10 ** power));
    result.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`);
    result.push(text(left - 8, y(10 ** power) + 4, `$${(10 ** power).toLocaleString('en-US')}`, 'y'));
  }
  const middle = px((top + height - bottom) / 2);
  result.push(`<text class="x" transform="rotate(-90)" x="-${middle}" y="14">$ a month</text>`);
  result.push(text((left + width - right) / 2, height - 10, 'calls a second, with 10,000,000 users', 'x'));
  return result;
}

function walls(): string[] {
  const result: string[] = [];
  let lastX = 0;
  let row = 0;
  for (const [place, { at, of }] of capacityWalls().entries()) {
    if (of !== 'calls a second' || at > 10 ** calls.to) continue;
    result.push(
      `<line class="wall" x1="${px(x(at))}" x2="${px(x(at))}" y1="${top}" y2="${height - bottom}"/>`,
    );
    // Numbers that would lie on each other stand in two rows.
    row = x(at) - lastX < 16 ? 1 - row : 0;
    lastX = x(at);
    result.push(text(x(at), top - 4 - row * 13, String(place + 1), 'number'));
  }
  return result;
}

function lines(): string[] {
  const steps = Array.from({ length: 61 }, (_, step) => 10 ** (calls.from + step / 10));
  const named: number[] = [];
  return parts.flatMap(([part, name, color, dashes]) => {
    const points = steps
      .map((callsPerSecond) => [callsPerSecond, needsOf({ callsPerSecond, users }).dollars[part]] as const)
      .filter(([, value]) => value >= 10 ** dollars.from);
    const [, last = 1] = points.at(-1) ?? [];
    const line = points.map(([at, value]) => `${px(x(at))},${px(Math.max(top, y(value)))}`).join(' ');
    let nameY = Math.max(top, y(last)) + 4;
    while (named.some((other) => Math.abs(other - nameY) < 14)) nameY += 2;
    named.push(nameY);
    const nameX = px(width - right + 8);
    return [
      `<polyline class="${part}" stroke="${color}" stroke-dasharray="${dashes}" points="${line}"/>`,
      `<text class="name" x="${nameX}" y="${px(nameY)}" style="fill: ${color}">${name}</text>`,
    ];
  });
}

function text(atX: number, atY: number, content: string, kind: string): string {
  return `<text class="${kind}" x="${px(atX)}" y="${px(atY)}">${content}</text>`;
}
