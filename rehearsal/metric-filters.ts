import { type LinePredicate, readPattern } from './filter-pattern.ts';
import type { MetricFilterProperties } from './template.ts';

/** What metric filters make of lines of a log. Each pattern is read once. */
export class MetricFilters {
  readonly #patterns = new Map<string, LinePredicate>();

  /** Gives a value for each line that the filter takes, and its default one where it left one out. */
  count(
    { FilterPattern, MetricTransformations }: MetricFilterProperties,
    lines: readonly string[],
    put: (namespace: string, name: string, value: number) => void,
  ): void {
    const found = lines.filter(this.#pattern(FilterPattern));
    for (const { MetricNamespace, MetricName, MetricValue, DefaultValue } of MetricTransformations) {
      for (const line of found) put(MetricNamespace, MetricName, valueIn(line, MetricValue));
      if (lines.length > found.length && DefaultValue !== undefined) {
        put(MetricNamespace, MetricName, Number(DefaultValue));
      }
    }
  }

  #pattern(text: string): LinePredicate {
    const known = this.#patterns.get(text) ?? readPattern(text);
    this.#patterns.set(text, known);
    return known;
  }
}

/** A transformation's value: a number, or a field of the line, such as `$.count`. */
function valueIn(line: string, value: string): number {
  if (!value.startsWith('$.')) return Number(value);
  const record: unknown = JSON.parse(line);
  const found = value
    .slice(2)
    .split('.')
    .reduce(
      (it: unknown, key) => (typeof it === 'object' && it !== null ? Reflect.get(it, key) : undefined),
      record,
    );
  return Number(found ?? 0);
}
