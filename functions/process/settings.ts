import { isSlip } from './slip.ts';

/** Where settings come from: `process.env`, or the like. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Tells of settings that can't be used: a line for each says what it must be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads settings by their kind; an empty one counts as not set. It collects what is wrong, to tell all of it at once: a
 * reader that meets a bad setting returns the default, and `check` throws at the end.
 */
export class Settings {
  readonly #environment: Environment;
  readonly #problems: string[] = [];
  readonly #known = new Set<string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Any text; undefined when it is not set. */
  text(name: string): string | undefined {
    this.#known.add(name);
    return this.#environment[name] || undefined;
  }

  /** One of some words. */
  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.text(name) ?? fallback;
    const known = choices.find((one) => one === value);
    if (known === undefined) this.refuse(name, `one of ${choices.join(', ')}`);
    return known ?? fallback;
  }

  /** 1 for yes; 0 for no, which is the default. */
  flag(name: string): boolean {
    return this.choice(name, ['0', '1'], '0') === '1';
  }

  /** A whole number in decimal digits, both ends of its range included; undefined when it is not set. */
  wholeNumber(name: string, { from, to }: { from: number; to: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= from && number <= to) return number;
    this.refuse(name, `a whole number from ${from} to ${to}`);
    return undefined;
  }

  /** A TCP port; 0 takes a free one. */
  port(name: string, fallback: number): number {
    return this.wholeNumber(name, { from: 0, to: 65_535 }) ?? fallback;
  }

  /** A host name or an IP address, which is not looked up, or `unix:` and the path of a socket. */
  host(name: string, fallback: string): string {
    const host = this.text(name) ?? fallback;
    if (/^\[.*\]$/.test(host)) this.refuse(name, `${host.slice(1, -1)}, without brackets`);
    else if (!/^unix:./.test(host) && /[\s/]/.test(host)) {
      this.refuse(name, 'a host name, an IP address, or unix:/PATH');
    }
    return host;
  }

  /**
   * An http or https URL; undefined when it is not set. One with a user or a password is refused: logs and errors show
   * URLs. So the line that refuses one does not show it.
   *
   * @param instead where a password goes instead, for the line that refuses it
   */
  url(name: string, instead?: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const { protocol = '', username, password } = URL.parse(text) ?? {};
    if (/^https?:$/.test(protocol) && !username && !password) return text;
    const hint = instead === undefined ? '' : `, which go into ${instead}`;
    this.problem(`${name} must be an http or https URL without user and password${hint}`);
    return undefined;
  }

  /**
   * The items of a list that is separated by commas, without the spaces around them.
   *
   * @param expected what the items are, in the plural, for the line that refuses them
   */
  list(name: string, isItem: (text: string) => boolean, expected: string): readonly string[] {
    const items = (this.text(name) ?? '').split(',').map((one) => one.trim());
    const given = items.filter((one) => one !== '');
    if (!given.every(isItem)) this.refuse(name, `${expected}, separated by commas`);
    return given;
  }

  /** Adds the problem that a setting must be something else than it is. */
  refuse(name: string, expected: string): void {
    this.problem(`${name} must be ${expected}, not "${this.#environment[name]}"`);
  }

  /** Adds problems, a line each. */
  problem(...lines: readonly string[]): void {
    this.#problems.push(...lines);
  }

  /**
   * Tells of variables that nobody has read, and whose name is nearly that of a setting: a line each. Call it when all
   * are read. An environment has many names that are not ours, so only those count that are one slip away from a name
   * of two words or more, or of six letters or more: COST is not HOST.
   */
  slips(): string[] {
    const ours = [...this.#known].filter((name) => name.includes('_') || name.length >= leastTellingLetters);
    return Object.entries(this.#environment).flatMap(([name, value]) => {
      if (!value || this.#known.has(name)) return [];
      const meant = ours.find((it) => isSlip(name, it));
      return meant === undefined ? [] : [`unknown setting ${name}: did you mean ${meant}?`];
    });
  }

  /** @throws ConfigError with everything that was wrong so far */
  check(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }
}

const leastTellingLetters = 6;
