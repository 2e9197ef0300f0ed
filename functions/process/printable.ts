/**
 * Characters that would steer a terminal, begin a line of their own, turn or hide text, or are none at all: control
 * (also U+0080 to U+009F) and format characters, line and paragraph separators, lone surrogates
 * (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * Escapes these characters in a text, each UTF-16 unit by itself as in JSON: text that is JSON stays JSON with the same
 * meaning. (client/cli has the same rule: it may import nothing from here.)
 */
export function printable(text: string): string {
  return text.replaceAll(unprintable, (it) => {
    let escaped = '';
    for (let i = 0; i < it.length; i++) escaped += `\\u${it.charCodeAt(i).toString(16).padStart(4, '0')}`;
    return escaped;
  });
}
