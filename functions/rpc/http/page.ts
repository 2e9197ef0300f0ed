import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';

/** Light and dark, narrow and wide; nothing is loaded. */
const style = `
:root{color-scheme:light dark;--text:#1c2024;--soft:#5b646e;--line:#d5dade;--ground:#fff;--link:#0b5cad;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--text:#e6e8ea;--soft:#a3abb3;--line:#3a4148;--ground:#14171a;--link:#7db8f5;--bad:#ffb4ab}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{max-width:44rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}
a{color:var(--link)}
code,td,kbd{font-family:ui-monospace,monospace;font-size:.95em}
form{display:flex;flex-wrap:wrap;gap:.75rem 1rem;align-items:end;margin:0 0 1.5rem}
label{display:grid;gap:.25rem;font-size:.9rem}
label.wide{flex:1 1 18rem}
input,button{font:inherit;padding:.45rem .6rem;border:1px solid var(--soft);border-radius:.4rem;background:var(--ground);color:var(--text);width:100%;min-width:0}
button{width:auto;font-size:.9rem;background:var(--link);border-color:var(--link);color:var(--ground);cursor:pointer}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--soft);padding-bottom:.4rem}
th,td{text-align:left;padding:.45rem .75rem .45rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.missing,.soft{color:var(--soft)}
.bad{border-left:.3rem solid var(--bad);padding-left:.9rem;margin:1.25rem 0}
`;

const styleHash = createHash('sha256').update(style).digest('base64');

/**
 * What a page may do: it has its own style, and forms for its own server. No script, nothing from elsewhere, in no
 * frame.
 */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The headers of every page for people, names and values in turn. */
export const pageHeaders: readonly string[] = [
  ...['content-type', 'text/html; charset=utf-8'],
  ...['content-security-policy', policy],
  ...['x-content-type-options', 'nosniff'],
  ...['referrer-policy', 'no-referrer'],
  ...['cross-origin-opener-policy', 'same-origin'],
  ...['cross-origin-resource-policy', 'same-origin'],
  ...['cache-control', 'no-store'],
  // Programs get something else at the same place.
  ...['vary', 'accept'],
];

/** The beginning of a page, up to its heading. `title`: text, not markup. */
export function pageStart(title: string): string {
  const text = escapeHtml(title);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
<main>
<h1>${text}</h1>
`;
}

/** The end of a page. */
export const pageEnd = '</main>\n</html>\n';

/** Text as it stands in HTML, between tags and within quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (it) => `&#${it.charCodeAt(0)};`);
}

/**
 * Whether a request wants a page rather than what programs get. Browsers ask for text/html when somebody follows a
 * link; curl and fetch take anything, and get what programs get.
 *
 * @param instead the type that programs get; a client that likes it no less gets that. Default: text/plain
 */
export function acceptsHtml({ accept }: IncomingHttpHeaders, instead = 'text/plain'): boolean {
  if (accept === undefined || !accept.includes('text/html')) return false;
  const html = qualityOf(accept, 'text/html');
  return html > 0 && html > qualityOf(accept, instead);
}

/** How much a client likes a type that it names, from 0 to 1 (RFC 9110 section 12.4.2); 0 if it does not. */
function qualityOf(accept: string, type: string): number {
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((it) => it.trim().toLowerCase());
    if (name !== type) continue;
    const quality = parameters.find((it) => it.startsWith('q='));
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0;
  }
  return 0;
}
