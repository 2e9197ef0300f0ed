/**
 * What makes two user names, or two e-mail addresses, the same one in every store: their text without regard
 * to case and to how accents are composed. Done here and not by a database, whose rules differ (SQLite's
 * NOCASE folds ASCII only, DynamoDB folds nothing).
 */
export function folded(text: string): string {
  return text.normalize('NFC').toLowerCase();
}
