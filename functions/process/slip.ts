/** Whether names differ by one character: it is missing, too much, another, or has changed places with the next. */
export function isSlip(name: string, meant: string): boolean {
  if (Math.abs(name.length - meant.length) > 1) return false;
  let at = 0;
  while (at < name.length && name[at] === meant[at]) at++;
  const rest = (text: string, skipped: number) => text.slice(at + skipped);
  const isSwapped = name[at] === meant[at + 1] && name[at + 1] === meant[at];
  return (
    rest(name, 1) === rest(meant, 1) ||
    rest(name, 1) === rest(meant, 0) ||
    rest(name, 0) === rest(meant, 1) ||
    (isSwapped && rest(name, 2) === rest(meant, 2))
  );
}
