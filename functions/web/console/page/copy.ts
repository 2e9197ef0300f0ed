import { h, put } from './dom.ts';

const shownForMs = 4_000;

/**
 * A button that copies a text, and says for a moment that it has. Where the browser lets no page copy, `fallback` is
 * selected.
 *
 * @param text what is copied; what has to be known of it can come with it
 */
export function copyButton(
  label: string,
  text: () => string | { readonly text: string; readonly note: string },
  fallback?: () => HTMLElement,
): HTMLButtonElement {
  const said = h('span', { class: 'said', role: 'status' });
  const button = h(
    'button',
    { type: 'button', class: 'small', on: { click: () => void copy() } },
    label,
    said,
  );
  async function copy(): Promise<void> {
    const given = text();
    const copied = typeof given === 'string' ? { text: given, note: '' } : given;
    try {
      await navigator.clipboard.writeText(copied.text);
      put(said, copied.note === '' ? ' copied' : ` copied, ${copied.note}`);
    } catch {
      // Over plain HTTP from another machine there is no clipboard.
      const element = fallback?.();
      if (element !== undefined) getSelection()?.selectAllChildren(element);
      put(said, element === undefined ? ' can’t copy here' : ' selected: copy it now');
    }
    setTimeout(() => put(said), shownForMs);
  }
  return button;
}
