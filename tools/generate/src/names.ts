/** The forms of a service's name that its files need. */
export interface Names {
  /** gift-box */
  readonly kebab: string;
  /** gift_box */
  readonly snake: string;
  /** giftBox */
  readonly camel: string;
  /** GiftBox */
  readonly pascal: string;
  /** GIFT_BOX */
  readonly upper: string;
  /** gift box */
  readonly words: string;
}

/** Returns the forms of a name in kebab-case. */
export function namesOf(kebab: string): Names {
  const camel = kebab.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return {
    kebab,
    snake: kebab.replaceAll("-", "_"),
    camel,
    pascal: camel.charAt(0).toUpperCase() + camel.slice(1),
    upper: kebab.replaceAll("-", "_").toUpperCase(),
    words: kebab.replaceAll("-", " "),
  };
}

/** Returns the plural of an English noun in kebab-case: `boxes`, `stories`, `carts`. */
export function pluralOf(noun: string): string {
  if (/[^aeiou]y$/.test(noun)) return `${noun.slice(0, -1)}ies`;
  return /(s|x|z|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`;
}

/** The noun of the template. It has two words, so that each of its forms is a different text. */
const templateNoun = "spare-part";

/** Returns the text of a template with its noun replaced by `kebab`, in every form. */
export function rename(text: string, kebab: string): string {
  const pairs: [string, string][] = [];
  for (const [from, to] of [
    [pluralOf(templateNoun), pluralOf(kebab)],
    [templateNoun, kebab],
  ] as const) {
    const [before, after] = [namesOf(from), namesOf(to)];
    // The article comes before the noun, so it follows the new noun's first letter.
    if (/^[aeio]/.test(kebab)) pairs.push([`a ${before.words}`, `an ${after.words}`]);
    for (const form of Object.keys(before) as (keyof Names)[]) pairs.push([before[form], after[form]]);
  }
  return pairs.reduce((result, [before, after]) => result.replaceAll(before, after), text);
}
