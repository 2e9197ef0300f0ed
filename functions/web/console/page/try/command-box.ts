import { copyButton } from '../copy.ts';
import { h, put } from '../dom.ts';
import { writeCommands } from './commands.ts';
import { withoutSecrets } from './secret-name.ts';
import type { WrittenCall } from './written-call.ts';

/** The call as commands and programs, one at a time, to be copied. */
export class CommandBox {
  readonly element = h('section', { class: 'commands', 'aria-label': 'The same call elsewhere' });
  readonly #tabs = h('div', { class: 'segments', role: 'group', 'aria-label': 'Tool' });
  readonly #text = h('pre', { tabindex: '0', 'aria-label': 'Command' });
  readonly #note = h('p', { class: 'hint' });
  readonly #copy = copyButton(
    'Copy',
    () => this.#text.textContent ?? '',
    () => this.#text,
  );
  readonly #copyJson = copyButton('Copy JSON', () => {
    const { json, left } = withoutSecrets(this.#call?.request ?? {});
    return { text: JSON.stringify(json), note: left.length === 0 ? '' : `without ${left.join(', ')}` };
  });
  #tool = 'buf curl';
  #call: WrittenCall | undefined;

  constructor() {
    put(
      this.element,
      h(
        'div',
        { class: 'section-head' },
        h('h3', {}, 'The same call elsewhere'),
        this.#tabs,
        this.#copyJson,
        this.#copy,
      ),
      this.#text,
      this.#note,
    );
  }

  /** Writes another call; `undefined` when what is typed is none. */
  show(call: WrittenCall | undefined): void {
    this.#call = call;
    this.#tabs.hidden = call === undefined;
    this.#copy.disabled = call === undefined;
    this.#copyJson.hidden = true;
    if (call === undefined) {
      put(this.#text, 'The JSON can’t be read, so there is no command for it.');
      return put(this.#note);
    }
    const written = writeCommands(call);
    const chosen = written.find(({ tool }) => tool === this.#tool) ?? written[0];
    put(this.#text, chosen?.text);
    put(this.#note, chosen?.note);
    this.#copyJson.hidden = !chosen?.isLong;
    const names = written.map(({ tool }) => tool);
    const shown = [...this.#tabs.children].map((it) => it.textContent);
    if (names.join() === shown.join()) {
      for (const tab of this.#tabs.children)
        tab.setAttribute('aria-pressed', String(tab.textContent === chosen?.tool));
      return;
    }
    put(
      this.#tabs,
      ...names.map((tool) =>
        h(
          'button',
          {
            type: 'button',
            'aria-pressed': String(tool === chosen?.tool),
            on: { click: () => this.#choose(tool) },
          },
          tool,
        ),
      ),
    );
  }

  #choose(tool: string): void {
    this.#tool = tool;
    if (this.#call !== undefined) this.show(this.#call);
  }
}
