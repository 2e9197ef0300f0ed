/** A value as DynamoDB's JSON writes it: strings and numbers are compared, others kept. */
export interface Attribute {
  readonly S?: string;
  readonly N?: string;
}

/** An item, by the names of its attributes. */
export type Item = Readonly<Record<string, Attribute>>;

/** What the placeholders of an expression stand for. */
export interface Placeholders {
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: Item;
}

/** An expression that DynamoDB would refuse, or that this double does not know. */
export class ExpressionError extends Error {}

type Condition = (item: Item, given: Placeholders) => boolean;
type Operand = (item: Item, given: Placeholders) => Attribute | undefined;
type Change = (item: Record<string, Attribute>, given: Placeholders) => void;

/** The same few texts come again and again: a table of what they mean saves the time to read them. */
const conditions = new Map<string, Condition>();
const updates = new Map<string, readonly Change[]>();
const projections = new Map<string, readonly string[]>();

/**
 * Whether a condition, a filter or a key condition holds of an item: comparisons, BETWEEN, attribute_exists,
 * attribute_not_exists, begins_with, AND, OR, NOT and parentheses.
 *
 * @throws ExpressionError where it is none of these
 */
export function holds(text: string | undefined, item: Item | undefined, given: Placeholders): boolean {
  if (text === undefined) return true;
  return remembered(conditions, text, (tokens) => tokens.condition())(item ?? {}, given);
}

/**
 * An item after an update expression of SET (with if_not_exists, + and -) and REMOVE.
 *
 * @throws ExpressionError where it is none of these
 */
export function updated(text: string | undefined, item: Item, given: Placeholders): Item {
  if (text === undefined) return item;
  const result = { ...item };
  for (const change of remembered(updates, text, (tokens) => tokens.changes())) change(result, given);
  return result;
}

/** The attributes of an item that a projection names; all of them without one. */
export function projected(text: string | undefined, item: Item, given: Placeholders): Item {
  if (text === undefined) return item;
  const names = remembered(projections, text, () => text.split(',').map((name) => name.trim()));
  const result: Record<string, Attribute> = {};
  for (const name of names) {
    const path = nameOf(name, given);
    const value = item[path];
    if (value !== undefined) result[path] = value;
  }
  return result;
}

function remembered<T>(table: Map<string, T>, text: string, read: (tokens: Tokens) => T): T {
  const known = table.get(text);
  if (known !== undefined) return known;
  const made = read(new Tokens(text));
  table.set(text, made);
  return made;
}

const nameOf = (name: string, { ExpressionAttributeNames = {} }: Placeholders): string =>
  name.startsWith('#') ? (ExpressionAttributeNames[name] ?? name) : name;

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/** Below 0, 0 or above it as a sort would have it; NaN if one is missing or they are of different types. */
function order(a: Attribute | undefined, b: Attribute | undefined): number {
  if (a?.S !== undefined && b?.S !== undefined) return a.S === b.S ? 0 : a.S < b.S ? -1 : 1;
  if (a?.N !== undefined && b?.N !== undefined) return Number(a.N) - Number(b.N);
  return Number.NaN;
}

/** Reads an expression from left to right. */
class Tokens {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(/[#:]?[\w.]+|<>|<=|>=|[=<>(),+-]/g) ?? [];
  }

  condition(): Condition {
    const result = this.#either();
    if (this.#at < this.#tokens.length) throw new ExpressionError(`unexpected ${this.#tokens[this.#at]}`);
    return result;
  }

  changes(): readonly Change[] {
    const result: Change[] = [];
    while (this.#at < this.#tokens.length) {
      const clause = this.#next().toUpperCase();
      if (clause !== 'SET' && clause !== 'REMOVE') throw new ExpressionError(`no clause ${clause}`);
      do result.push(clause === 'SET' ? this.#setting() : this.#removing());
      while (this.#takes(','));
    }
    return result;
  }

  #setting(): Change {
    const path = this.#next();
    this.#expect('=');
    const value = this.#sum();
    return (item, given) => {
      const to = value(item, given);
      if (to === undefined) throw new ExpressionError(`no value for ${path}`);
      item[nameOf(path, given)] = to;
    };
  }

  #removing(): Change {
    const path = this.#next();
    return (item, given) => {
      delete item[nameOf(path, given)];
    };
  }

  #sum(): Operand {
    const left = this.#operand();
    const sign = this.#takes('+') ? 1 : this.#takes('-') ? -1 : 0;
    if (sign === 0) return left;
    const right = this.#operand();
    return (item, given) => ({
      N: String(Number(left(item, given)?.N) + sign * Number(right(item, given)?.N)),
    });
  }

  #either(): Condition {
    const parts = [this.#both()];
    while (this.#takes('OR')) parts.push(this.#both());
    return (item, given) => parts.some((part) => part(item, given));
  }

  #both(): Condition {
    const parts = [this.#one()];
    while (this.#takes('AND')) parts.push(this.#one());
    return (item, given) => parts.every((part) => part(item, given));
  }

  #one(): Condition {
    if (this.#takes('NOT')) {
      const part = this.#one();
      return (item, given) => !part(item, given);
    }
    if (this.#takes('(')) {
      const inner = this.#either();
      this.#expect(')');
      return inner;
    }
    if (this.#takes('attribute_exists')) return this.#presence(true);
    if (this.#takes('attribute_not_exists')) return this.#presence(false);
    if (this.#takes('begins_with')) return this.#beginning();
    return this.#comparison();
  }

  #presence(isThere: boolean): Condition {
    this.#expect('(');
    const path = this.#next();
    this.#expect(')');
    return (item, given) => (item[nameOf(path, given)] !== undefined) === isThere;
  }

  #beginning(): Condition {
    this.#expect('(');
    const whole = this.#operand();
    this.#expect(',');
    const begin = this.#operand();
    this.#expect(')');
    return (item, given) => {
      const prefix = begin(item, given)?.S;
      return prefix !== undefined && (whole(item, given)?.S?.startsWith(prefix) ?? false);
    };
  }

  #comparison(): Condition {
    const left = this.#operand();
    if (this.#takes('BETWEEN')) {
      const low = this.#operand();
      this.#expect('AND');
      const high = this.#operand();
      return (item, given) => {
        const value = left(item, given);
        return order(value, low(item, given)) >= 0 && order(value, high(item, given)) <= 0;
      };
    }
    const compares = comparisons[this.#next()];
    if (compares === undefined) throw new ExpressionError(`no comparison ${this.#tokens[this.#at - 1]}`);
    const right = this.#operand();
    return (item, given) => compares(order(left(item, given), right(item, given)));
  }

  #operand(): Operand {
    if (this.#takes('if_not_exists')) {
      this.#expect('(');
      const own = this.#operand();
      this.#expect(',');
      const other = this.#operand();
      this.#expect(')');
      return (item, given) => own(item, given) ?? other(item, given);
    }
    const token = this.#next();
    if (!token.startsWith(':')) return (item, given) => item[nameOf(token, given)];
    return (_, { ExpressionAttributeValues = {} }) => {
      const value = ExpressionAttributeValues[token];
      if (value === undefined) throw new ExpressionError(`no value ${token}`);
      return value;
    };
  }

  #takes(word: string): boolean {
    const token = this.#tokens[this.#at];
    const is = token === word || token?.toUpperCase() === word;
    if (is) this.#at += 1;
    return is;
  }

  #expect(word: string): void {
    if (!this.#takes(word)) throw new ExpressionError(`${word} is missing before ${this.#tokens[this.#at]}`);
  }

  #next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new ExpressionError('the expression ends too early');
    this.#at += 1;
    return token;
  }
}
