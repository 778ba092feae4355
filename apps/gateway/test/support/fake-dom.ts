import { compileFunction } from "node:vm";

/**
 * The part of a browser's document that the page's script uses: elements, text, names in a form.
 */
export class FakeElement {
  readonly tag: string;
  children: (FakeElement | string)[] = [];
  value = "";
  name = "";
  hidden = false;
  onsubmit: ((event: { preventDefault(): void }) => Promise<void>) | undefined;
  onclick: (() => void) | undefined;
  #text = "";

  constructor(tag: string) {
    this.tag = tag;
  }

  append(...nodes: (FakeElement | string)[]): void {
    this.children.push(...nodes);
  }

  replaceChildren(...nodes: (FakeElement | string)[]): void {
    this.children = nodes;
  }

  get textContent(): string {
    return this.#text + this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join("");
  }

  set textContent(text: string) {
    this.children = [];
    this.#text = text;
  }

  /** Returns a form's fields by name. */
  get elements(): Record<string, FakeElement> {
    return Object.fromEntries(this.all((element) => element.name !== "").map((element) => [element.name, element]));
  }

  all(fits: (element: FakeElement) => boolean): FakeElement[] {
    return this.children.flatMap((child) =>
      typeof child === "string" ? [] : [...(fits(child) ? [child] : []), ...child.all(fits)],
    );
  }
}

/**
 * Runs a page's script against the server at `url`. Returns the elements that its selectors match.
 */
export async function runPage(script: string, url: string): Promise<Record<string, FakeElement>> {
  const found: Record<string, FakeElement> = {};
  const document = {
    title: "",
    createElement: (tag: string) => new FakeElement(tag),
    querySelector: (selector: string) => (found[selector] ??= new FakeElement(selector)),
  };
  const fetchHere = (path: string, init?: RequestInit): Promise<Response> => fetch(new URL(path, url), init);
  const run = compileFunction(`return (async () => {${script}})()`, ["document", "fetch"]) as (
    ...values: unknown[]
  ) => Promise<void>;
  await run(document, fetchHere);
  return found;
}
