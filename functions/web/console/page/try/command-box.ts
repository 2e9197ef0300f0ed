import { copyButton } from '../copy.ts';
import { h, put } from '../dom.ts';
import { type WrittenCall, writeCommands } from './commands.ts';

/** The call as commands and programs, one at a time, to be copied. */
export class CommandBox {
  readonly element = h('section', { class: 'commands', 'aria-label': 'The same call elsewhere' });
  readonly #tabs = h('div', { class: 'segments', role: 'group', 'aria-label': 'Tool' });
  readonly #text = h('pre', { tabindex: '0', 'aria-label': 'Command' });
  readonly #note = h('p', { class: 'hint' });
  #tool = 'buf curl';
  #call: WrittenCall | undefined;

  constructor() {
    const copy = copyButton(
      'Copy',
      () => this.#text.textContent ?? '',
      () => this.#text,
    );
    put(
      this.element,
      h('div', { class: 'section-head' }, h('h3', {}, 'The same call elsewhere'), this.#tabs, copy),
      this.#text,
      this.#note,
    );
  }

  /** Writes another call. */
  show(call: WrittenCall): void {
    this.#call = call;
    const written = writeCommands(call);
    const chosen = written.find(({ tool }) => tool === this.#tool) ?? written[0];
    put(this.#text, chosen?.text);
    put(this.#note, chosen?.note);
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
