import { readFileSync } from 'node:fs';

/** A fenced block of a page. */
export interface Block {
  /** The word after the fence, such as `console`. */
  readonly language: string;
  readonly text: string;
  /** The heading above it. */
  readonly section: string;
  /** The file that the paragraph before it names last, where that ends with a colon; else empty. */
  readonly file: string;
}

/** A command of a `console` block, and what it prints. */
export interface Example {
  readonly command: string;
  readonly output: string;
}

/** The fenced blocks of a page, in order. `path`: from the root of the repository. */
export function blocksOf(path: string): Block[] {
  const page = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const found = page.matchAll(
    /^#+ (?<heading>.+)$|^(?<before>[^\n]*:\n\n)?```(?<language>\w*)\n(?<text>[\s\S]*?)^```$/gm,
  );
  const blocks: Block[] = [];
  let section = '';
  for (const { groups = {} } of found) {
    const { heading, language = '', text = '', before = '' } = groups;
    const [, file = ''] = /.*`([\w./-]+\.\w+)`/.exec(before) ?? [];
    if (heading !== undefined) section = heading;
    else blocks.push({ language, text, section, file });
  }
  return blocks;
}

/** The commands of a `console` block: each `$ ` line with the lines that follow it. */
export function examples(block: Block): Example[] {
  return block.text
    .split(/^\$ /m)
    .slice(1)
    .map((it) => {
      const [command = '', ...output] = it.split('\n');
      return { command, output: output.join('\n') };
    });
}

/** Whether what was printed is what the page shows; `…` there stands for anything. */
export function matches(printed: string, shown: string): boolean {
  const pattern = shown
    .trimEnd()
    .split('…')
    .map((it) => it.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[\\s\\S]*?');
  return new RegExp(`^${pattern}$`).test(printed.trimEnd());
}
