/**
 * What makes two user names, or two e-mail addresses, the same one in every store: their text without regard
 * to case and to how accents are composed. Done here and not by a database, whose rules differ (SQLite's
 * NOCASE folds ASCII only, DynamoDB folds nothing).
 */
export function folded(text: string): string {
  // Every user name is ASCII; this is three times as fast.
  if (isAscii.test(text)) return text.toLowerCase();
  // A capital sigma at the end of a word becomes another small letter than the rest do (Unicode's Final_Sigma,
  // https://www.unicode.org/versions/latest/core-spec/chapter-3/#G54277), so it would depend on what follows it.
  // A small letter may be composed where its capital can't be, as in "ǰ": so it is composed once more.
  return text.normalize('NFC').toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
}

const isAscii = /^[ -~]*$/;
