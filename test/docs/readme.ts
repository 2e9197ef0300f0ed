import { readFileSync } from 'node:fs';

/** A fenced block of README.md. */
export interface Block {
  /** The word after the fence, such as `console`. */
  readonly language: string;
  readonly text: string;
  /** The heading above it. */
  readonly section: string;
}

/** A command of a `console` block, and what it prints. */
export interface Example {
  readonly command: string;
  readonly output: string;
}

/** The fenced blocks of README.md, in order. */
export function readmeBlocks(): Block[] {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const found = readme.matchAll(/^#+ (?<heading>.+)$|^```(?<language>\w*)\n(?<text>[\s\S]*?)^```$/gm);
  const blocks: Block[] = [];
  let section = '';
  for (const { groups = {} } of found) {
    if (groups.heading !== undefined) section = groups.heading;
    else blocks.push({ language: groups.language ?? '', text: groups.text ?? '', section });
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

/** Whether what was printed is what the README shows; `…` there stands for anything. */
export function matches(printed: string, shown: string): boolean {
  const pattern = shown
    .trimEnd()
    .split('…')
    .map((it) => it.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[\\s\\S]*?');
  return new RegExp(`^${pattern}$`).test(printed.trimEnd());
}
