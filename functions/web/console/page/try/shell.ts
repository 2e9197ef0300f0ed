/** Quotes a text for a POSIX shell: as it is where nothing in it means something there, else in single quotes. */
export function quote(text: string): string {
  // A single quote can't be in single quotes: they end, it comes escaped, and they begin again.
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A word that holds what a command prints, such as `"authorization: Bearer $(cat key.txt)"`. The prefix must be plain.
 */
export function withOutput(prefix: string, command: string): string {
  return `"${prefix}$(${command})"`;
}

/** Joins the words of a command, with a line for each option that has a value. */
export function command(...lines: readonly string[]): string {
  return lines.filter((it) => it !== '').join(' \\\n  ');
}
