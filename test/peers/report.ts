import type { Check } from './peer.ts';

/**
 * Takes over the checks that a client in another language made itself. It prints a line for each, `ok`, a tab and the
 * name, or `not ok`, the name and the reason; and `end` as the last line of all.
 *
 * @param prefix of the names, where one client runs more than once
 */
export async function relayChecks(output: string, check: Check, prefix = ''): Promise<void> {
  for (const [, outcome, name, why] of output.matchAll(/^(ok|not ok)\t([^\t\n]*)(?:\t(.*))?$/gm)) {
    await check(`${prefix}${name}`, () => {
      if (outcome !== 'ok') throw new Error(why);
    });
  }
  await check(`${prefix}come to the end`, () => {
    if (!output.endsWith('end\n')) throw new Error(output);
  });
}
