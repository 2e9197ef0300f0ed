/** Whether a line of a log is one that a metric filter counts. */
export type LinePredicate = (line: string) => boolean;

/**
 * Reads a filter pattern of CloudWatch Logs: one for JSON, `{ $.fault IS TRUE && $.code = "INTERNAL" }`, or words that
 * must all be in the line.
 *
 * @throws Error for a pattern that a rehearsal has not
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function readPattern(pattern: string): LinePredicate {
  const [, inner] = /^\s*\{(.*)\}\s*$/s.exec(pattern) ?? [];
  if (inner === undefined) {
    const words = pattern
      .split(/\s+/)
      .filter(Boolean)
      .map((it) => it.replaceAll('"', ''));
    return (line) => words.every((word) => line.includes(word));
  }
  const matches = readAny(inner);
  return (line) => {
    if (!line.startsWith('{')) return false;
    try {
      return matches(JSON.parse(line));
    } catch {
      return false; // what is no JSON has no fields
    }
  };
}

type Test = (record: unknown) => boolean;

function readAny(text: string): Test {
  const tests = split(text, '||').map(readAll);
  return (record) => tests.some((it) => it(record));
}

function readAll(text: string): Test {
  const tests = split(text, '&&').map(readOne);
  return (record) => tests.every((it) => it(record));
}

function readOne(text: string): Test {
  const [, inner] = /^\s*\((.*)\)\s*$/s.exec(text) ?? [];
  if (inner !== undefined) return readAny(inner);
  const found =
    /^\s*\$\.([\w.]+)\s*(IS TRUE|IS FALSE|IS NULL|EXISTS|NOT EXISTS|!=|>=|<=|=|>|<)\s*(.*?)\s*$/s.exec(text);
  if (!found) throw new Error(`a rehearsal has no filter pattern such as ${text.trim()}`);
  const [, path = '', operator = '', wanted = ''] = found;
  const value = (record: unknown) =>
    path.split('.').reduce((it: unknown, key) => (isRecord(it) ? it[key] : undefined), record);
  const isText = wanted.startsWith('"');
  const pattern = RegExp(
    `^${wanted
      .replaceAll('"', '')
      .replaceAll(/[.+^${}()|[\]\\?]/g, '\\$&')
      .replaceAll('*', '.*')}$`,
  );
  const equals = (it: unknown) =>
    isText || Number.isNaN(Number(wanted)) ? pattern.test(String(it)) : it === Number(wanted);
  switch (operator) {
    case 'IS TRUE':
      return (record) => value(record) === true;
    case 'IS FALSE':
      return (record) => value(record) === false;
    case 'IS NULL':
      return (record) => value(record) === null;
    case 'EXISTS':
      return (record) => value(record) !== undefined;
    case 'NOT EXISTS':
      return (record) => value(record) === undefined;
    case '=':
      return (record) => value(record) !== undefined && equals(value(record));
    case '!=':
      return (record) => value(record) !== undefined && !equals(value(record));
  }
  const compare = {
    '>': (it: number) => it > Number(wanted),
    '<': (it: number) => it < Number(wanted),
    '>=': (it: number) => it >= Number(wanted),
    '<=': (it: number) => it <= Number(wanted),
  }[operator];
  return (record) => {
    const it = value(record);
    return typeof it === 'number' && compare !== undefined && compare(it);
  };
}

/** Splits at an operator, but not within parentheses or quotes. */
function split(text: string, operator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const it = text[at];
    if (it === '"') isQuoted = !isQuoted;
    if (isQuoted) continue;
    if (it === '(') depth++;
    if (it === ')') depth--;
    if (depth === 0 && text.startsWith(operator, at)) {
      parts.push(text.slice(from, at));
      from = at + operator.length;
    }
  }
  return [...parts, text.slice(from)];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
